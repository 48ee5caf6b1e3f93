using Dispatcher.Storage;
using Npgsql;

namespace Dispatcher.CommandLine.Identities;

/// <summary>A database role that can log in, and what it may do beyond its need.</summary>
/// <param name="Name">Its name.</param>
/// <param name="IsUsed">It has an open session.</param>
/// <param name="Serves">It may read jobs, as a server does.</param>
/// <param name="Excess">Rights that the server's role does not have, for example <c>DELETE on timeline</c>.</param>
internal sealed record DatabaseRole(string Name, bool IsUsed, bool Serves, IReadOnlyList<string> Excess)
{
    /// <summary>The command that ends the rights beyond need of a role that serves.</summary>
    public string ExcessFix =>
        Excess.Contains(RoleRights.Ownership) ? $"dispatcher identity create {Name}-2 --kind server, and serve with that"
        : Excess.All(right => right.Contains(" on ", StringComparison.Ordinal)) ? $"dispatcher migrate --serve-role {Name}"
        : $"psql -c 'alter role \"{Name}\" nosuperuser nocreatedb nocreaterole noreplication nobypassrls'";
}

/// <summary>
/// Compares what the database lets roles do with <see cref="ServeGrants"/>. It asks for effective rights, so that rights through other
/// roles count as well.
/// </summary>
internal static class RoleRights
{
    public const string Superuser = "superuser";
    public const string Ownership = "ownership of the tables";

    /// <summary>Roles by name, and those that may read jobs or entries without owning the tables.</summary>
    private const string Roles = $"""
        select r.rolname::text, exists (select 1 from pg_stat_activity a where a.usesysid = r.oid), t.reads,
            array_remove(array[
                case when r.rolsuper then '{Superuser}' end, case when r.rolcreatedb then 'createdb' end,
                case when r.rolcreaterole then 'createrole' end, case when r.rolreplication then 'replication' end,
                case when r.rolbypassrls then 'bypassrls' end, case when t.owns and not r.rolsuper then '{Ownership}' end,
                case when not r.rolsuper and has_schema_privilege(r.oid, current_schema(), 'create')
                    then 'CREATE on schema ' || current_schema() end], null)
        from pg_roles r, lateral (
            select coalesce(bool_or(has_any_column_privilege(r.oid, c.oid, 'select')), false) as reads,
                coalesce(bool_or(pg_has_role(r.oid, c.relowner, 'member')), false) as owns
            from pg_class c where c.oid in (to_regclass('jobs'), to_regclass('timeline'))) t
        where r.rolcanlogin and (r.rolname = any($1) or (t.reads and not t.owns))
        order by 1
        """;

    /// <summary>An extension such as pg_stat_statements grants rights on its own objects to every role.</summary>
    private const string NotOfExtension =
        "not exists (select 1 from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')";

    private const string Privileges = $"""
        select c.relname::text, p, null from pg_class c,
            unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p
        where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p', 'v', 'm') and has_table_privilege($1, c.oid, p)
            and {NotOfExtension}
        union all
        select c.relname::text, p, a.attname::text from pg_class c join pg_attribute a on a.attrelid = c.oid,
            unnest(array['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) p
        where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p', 'v', 'm') and a.attnum > 0 and not a.attisdropped
            and not has_table_privilege($1, c.oid, p) and has_column_privilege($1, c.oid, a.attnum, p)
            and {NotOfExtension}
        order by 1, 2, 3
        """;

    public static async Task<IReadOnlyList<DatabaseRole>> ReadAsync(
        NpgsqlDataSource database,
        IReadOnlyCollection<string> names,
        CancellationToken cancellationToken
    )
    {
        var found = new List<DatabaseRole>();
        await using (var command = database.CreateCommand(Roles))
        {
            command.Parameters.AddWithValue(names.ToArray());
            await using var rows = await command.ExecuteReaderAsync(cancellationToken);
            while (await rows.ReadAsync(cancellationToken))
            {
                found.Add(new(rows.GetString(0), rows.GetBoolean(1), rows.GetBoolean(2), rows.GetFieldValue<string[]>(3)));
            }
        }

        for (var at = 0; at < found.Count; at++)
        {
            // A superuser or owner may do everything: a list would only hide that.
            found[at] = found[at].Excess.Any(right => right is Superuser or Ownership)
                ? found[at]
                : found[at] with
                {
                    Excess = [.. found[at].Excess, .. await ExcessAsync(database, found[at].Name, cancellationToken)],
                };
        }

        return found;
    }

    private static async Task<IReadOnlyList<string>> ExcessAsync(
        NpgsqlDataSource database,
        string role,
        CancellationToken cancellationToken
    )
    {
        await using var command = database.CreateCommand(Privileges);
        command.Parameters.AddWithValue(role);
        await using var rows = await command.ExecuteReaderAsync(cancellationToken);
        var excess = new List<string>();
        while (await rows.ReadAsync(cancellationToken))
        {
            var (table, privilege) = (rows.GetString(0), rows.GetString(1));
            var column = await rows.IsDBNullAsync(2, cancellationToken) ? null : rows.GetString(2);
            if (!ServeGrants.Allows(table, privilege, column))
            {
                excess.Add($"{privilege}{(column is null ? "" : $" ({column})")} on {table}");
            }
        }

        return excess;
    }
}
