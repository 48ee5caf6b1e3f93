using System.Text.RegularExpressions;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Storing;

/// <summary>Brings the tables up to date, as their owner; and gives the role that serves what it needs, which is no DDL and no way to change the timeline.</summary>
internal static partial class Migrator
{
    public static async Task MigrateAsync(DispatcherDb db, CancellationToken cancellationToken) => await db.Database.MigrateAsync(cancellationToken);

    /// <summary>The names of migrations that the database lacks. Empty: it fits this version.</summary>
    public static async Task<IReadOnlyList<string>> MissingAsync(DispatcherDb db, CancellationToken cancellationToken) =>
        [.. await db.Database.GetPendingMigrationsAsync(cancellationToken)];

    /// <summary>Grants to a role that exists already. The name goes into DDL, which takes no parameters, so that its form is checked.</summary>
    public static async Task GrantAsync(DispatcherDb db, string role, CancellationToken cancellationToken)
    {
        if (!RoleName().IsMatch(role))
        {
            throw new ArgumentException($"\"{role}\" is no role name; allowed are 1 to 63 characters of a-z, 0-9 and _, not starting with a digit.", nameof(role));
        }

#pragma warning disable EF1002, EF1003 // The form was checked above.
        await db.Database.ExecuteSqlRawAsync(
            $"""
            grant select, insert, update, delete on jobs, approvals, denials, dead_letters, outbox, bundles, active_bundle, processes, workers, api_keys, permit_keys to {role};
            grant select, insert on timeline, timeline_seals, timeline_checkpoints to {role};
            grant select on "__EFMigrationsHistory" to {role};
            """,
            cancellationToken);
#pragma warning restore EF1002, EF1003
    }

    [GeneratedRegex(@"^[a-z_][a-z0-9_]{0,62}\z")]
    private static partial Regex RoleName();
}
