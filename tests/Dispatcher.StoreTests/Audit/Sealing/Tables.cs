using Dispatcher.StoreTests.Databases;

namespace Dispatcher.StoreTests.Audit.Sealing;

/// <summary>Statements that only the owner of the tables can run.</summary>
internal static class Tables
{
    private static readonly string[] Names = ["timeline", "timeline_seals", "timeline_checkpoints"];

    public static async Task UnlockAsync(TestDatabase database, StoreKind kind, bool keepIdentity = false)
    {
        if (kind == StoreKind.Postgres)
        {
            await database.ExecuteAsync(
                string.Join(' ', Names.Select(name => $"alter table {name} disable trigger all;"))
                    + (keepIdentity ? "" : " alter table timeline alter column entry_id drop identity if exists")
            );
            return;
        }

        foreach (
            var trigger in await database.QueryAsync(
                $"select name from sqlite_schema where type = 'trigger' and tbl_name in ('{string.Join("', '", Names)}')"
            )
        )
        {
            await database.ExecuteAsync($"drop trigger {trigger[0]}");
        }
    }
}
