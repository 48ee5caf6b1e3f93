using System.Text.RegularExpressions;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Storage;

/// <summary>
/// Migrates the tables, as their owner, and grants rights to the role of the server. The role gets no DDL and cannot change the timeline.
/// </summary>
internal static partial class Migrator
{
    public static async Task MigrateAsync(DispatcherDb db, CancellationToken cancellationToken) =>
        await db.Database.MigrateAsync(cancellationToken);

    /// <summary>
    /// The names of the migrations that the database lacks. Empty: it matches this version. A database that does not exist lacks all of
    /// them.
    /// </summary>
    public static async Task<IReadOnlyList<string>> MissingAsync(DispatcherDb db, CancellationToken cancellationToken) =>
        [.. await db.Database.GetPendingMigrationsAsync(cancellationToken)];

    /// <summary>
    /// The names of the migrations of a later version that the database has. A migration only adds what a server of the version before does
    /// not need, so that a server can be rolled back over one of them.
    /// </summary>
    public static async Task<IReadOnlyList<string>> NewerAsync(DispatcherDb db, CancellationToken cancellationToken) =>
        [.. (await db.Database.GetAppliedMigrationsAsync(cancellationToken)).Except(db.Database.GetMigrations())];

    /// <summary>The same for a process that does not migrate: throws if the database does not exist, as its name may be misspelt.</summary>
    public static async Task<IReadOnlyList<string>> MissingInExistingAsync(DispatcherDb db, CancellationToken cancellationToken)
    {
        await db.Database.OpenConnectionAsync(cancellationToken);
        await db.Database.CloseConnectionAsync();
        return await MissingAsync(db, cancellationToken);
    }

    /// <summary>The names of roles that a statement may contain in quotes, for error messages.</summary>
    public const string RoleNameWords = "1 to 63 characters of a-z, 0-9, _ and -, but not public, none or pg_…";

    /// <summary>PostgreSQL grants to <c>public</c> what is granted to all, also if the name is in quotes.</summary>
    public static bool IsRoleName(string text) =>
        RoleName().IsMatch(text) && text is not ("public" or "none") && !text.StartsWith("pg_", StringComparison.Ordinal);

    /// <summary>
    /// Grants rights to an existing role, and revokes what earlier versions granted. The name is checked first, because DDL takes no
    /// parameters.
    /// </summary>
    public static async Task GrantAsync(DispatcherDb db, string role, CancellationToken cancellationToken)
    {
        if (!IsRoleName(role))
        {
            throw new ArgumentException($"\"{role}\" is not a role name; allowed are {RoleNameWords}.", nameof(role));
        }

        if (await OwnsAsync(db, role, cancellationToken))
        {
            throw new ArgumentException(
                $"Role \"{role}\" owns the tables, is a member of their owner, or is a superuser: no grant limits it. "
                    + "Create another role and give its name.",
                nameof(role)
            );
        }

#pragma warning disable EF1002, EF1003 // The form was checked above.
        await db.Database.ExecuteSqlRawAsync(ServeGrants.To(role), cancellationToken);
#pragma warning restore EF1002, EF1003
    }

    /// <summary>False for a role that does not exist as well: the error of the grant names it.</summary>
    private static Task<bool> OwnsAsync(DispatcherDb db, string role, CancellationToken cancellationToken) =>
        db
            .Database.SqlQuery<bool>(
                $"""
                select coalesce(bool_or(r.rolsuper or pg_has_role(r.oid, c.relowner, 'member')), false) as "Value"
                from pg_class c, pg_roles r where c.oid = 'jobs'::regclass and r.rolname = {role}
                """
            )
            .SingleAsync(cancellationToken);

    [GeneratedRegex(@"^[a-z0-9_-]{1,63}\z")]
    private static partial Regex RoleName();
}
