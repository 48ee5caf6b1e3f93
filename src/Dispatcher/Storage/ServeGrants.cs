using System.Text.RegularExpressions;
using Npgsql;

namespace Dispatcher.Storage;

/// <summary>
/// The rights of the server's role on each table. It gets no DDL and cannot change or remove timeline entries. A column that the server
/// never updates is not granted, so a stolen password of this role cannot change a submitted job, the terms of an approval or a dead
/// letter.
/// </summary>
internal static partial class ServeGrants
{
    /// <summary>Columns that statements set in addition to <see cref="Columns.JobLive"/>.</summary>
    private static readonly string[] JobTimes = ["updated_at", "finished_at"];

    private static readonly (string Table, string Rights)[] Table =
    [
        ("jobs", $"select, insert, update ({string.Join(", ", Columns.JobLive.Select(column => column.Name).Concat(JobTimes))})"),
        ("approvals", "select, insert, update (state, version, votes, decided_at, use_by, permit_id, end_reason)"),
        ("denials", "select, insert"),
        ("dead_letters", "select, insert"),
        // Not entry_id: the database sets it, so that no entry can be inserted before another.
        ("timeline", $"select, insert ({Columns.Entry.Names()}, at)"),
        ("timeline_seals", "select, insert"),
        ("timeline_checkpoints", "select, insert"),
        ("outbox", "select, insert, update (attempts, parked, next_at, last_error), delete"),
        ("bundles", "select, insert"),
        ("active_bundle", "select, insert, update (serial, hash, activated_at, actor, pinned)"),
        ("freezes", "select, insert, update (ended_at, ended_by, end_reason)"),
        ("processes", "select, insert, update, delete"),
        ("workers", "select, insert, update, delete"),
        ("api_keys", "select, insert, update (revoked_at)"),
        ("permit_keys", "select, insert"),
        ("\"__EFMigrationsHistory\"", "select"),
    ];

    /// <summary>
    /// The statements for a role, whose name must be checked before. They first revoke what earlier versions granted. They are sent as one
    /// transaction, so running servers never lack a right.
    /// </summary>
    public static string To(string role) =>
        $"""
            revoke all on {string.Join(", ", Table.Select(grant => grant.Table))} from "{role}";
            do $$ begin execute format('revoke create on schema %I from public, "{role}"', current_schema()); end $$;
            {string.Concat(Table.Select(grant => $"grant {grant.Rights} on {grant.Table} to \"{role}\";\n"))}
            grant execute on function timeline_text(bytea, text[]) to "{role}";
            """;

    /// <summary>
    /// Whether the role is granted a privilege on a table, or on one of its columns. Null as the column: on the whole table.
    /// </summary>
    public static bool Allows(string table, string privilege, string? column) =>
        Table
            .Where(grant => grant.Table.Trim('"') == table)
            .SelectMany(grant => Right().Matches(grant.Rights))
            .Where(right => right.Groups["privilege"].Value.Equals(privilege, StringComparison.OrdinalIgnoreCase))
            .Any(right =>
                !right.Groups["columns"].Success
                || column is not null && right.Groups["columns"].Value.Split(", ").Contains(column, StringComparer.Ordinal)
            );

    /// <summary>The rights that the role of a session lacks, for example <c>insert on jobs</c>. The tables must exist.</summary>
    public static async Task<IReadOnlyList<string>> LackingAsync(NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        var rights =
            from grant in Table
            from right in Right().Matches(grant.Rights)
            let columns = right.Groups["columns"] is { Success: true } named ? named.Value.Split(", ") : [""]
            from column in columns
            select (grant.Table, Privilege: right.Groups["privilege"].Value, Column: column);
        var all = rights.ToList();
        await using var command = database.CreateCommand(
            """
            select concat_ws(' ', p, '(' || nullif(c, '') || ')', 'on', trim(both '"' from t)) from unnest($1, $2, $3) as needed (t, p, c)
            where not case when c = '' then has_table_privilege(t, p) else has_column_privilege(t, c, p) end
            """
        );
        command.Parameters.AddWithValue(all.ConvertAll(right => right.Table));
        command.Parameters.AddWithValue(all.ConvertAll(right => right.Privilege));
        command.Parameters.AddWithValue(all.ConvertAll(right => right.Column));
        await using var rows = await command.ExecuteReaderAsync(cancellationToken);
        var lacking = new List<string>();
        while (await rows.ReadAsync(cancellationToken))
        {
            lacking.Add(rows.GetString(0));
        }

        return lacking;
    }

    [GeneratedRegex(@"(?<privilege>[a-z]+)( \((?<columns>[^)]*)\))?(, |\z)")]
    private static partial Regex Right();
}
