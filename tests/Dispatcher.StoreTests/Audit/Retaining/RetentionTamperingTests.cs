using Dispatcher.Audit.Sealing;
using Dispatcher.Audit.Verification;
using Dispatcher.Base;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Npgsql;

namespace Dispatcher.StoreTests.Audit.Retaining;

/// <summary>What the owner of the tables and the role of the server can do to dropped days, and how it is found or refused.</summary>
public sealed class RetentionTamperingTests : RetentionTest
{
    [Fact]
    public async Task Tampering_after_a_retention_is_found()
    {
        await EndedAsync(20);
        var longer = await StoredAsync(AJob.New());
        await History.AgeAsync(longer.JobId, 19);
        await History.Sealer.RunAsync();
        await EndedAsync(3);
        await MovedAsync(JobEnds.Expired(longer));
        await History.Sealer.RunAsync();
        await History.RetainAsync();
        await History.Sealer.RunAsync();
        await History.AssertIntactAsync();
        var kept = $"job_id = '{longer.JobId}' and kind = 'accepted'";
        await History.TamperAsync(
            "create table kept as select * from timeline; create table kept_seals as select * from timeline_seals; "
                + "create table kept_checkpoints as select * from timeline_checkpoints"
        );

        (string Sql, Tampering Kind)[] attacks =
        [
            ($"update timeline set actor = 'another' where {kept}", Tampering.Altered),
            ($"delete from timeline where {kept}", Tampering.Altered),
            ("delete from timeline where seq_of(entry_id) = 1; delete from timeline_seals where seq = 1", Tampering.Altered),
            ("delete from timeline where seq_of(entry_id) = 5; delete from timeline_seals where seq = 5", Tampering.Missing),
            (
                "delete from timeline where seq_of(entry_id) between 5 and 6; delete from timeline_seals where seq between 5 and 6",
                Tampering.Missing
            ),
            ("update timeline set actor = 'another' where seq_of(entry_id) = 6", Tampering.Altered),
            ("delete from timeline where kind = 'retained'", Tampering.Missing),
            (
                "delete from timeline where kind = 'retained'; "
                    + "delete from timeline_seals where entry_id not in (select entry_id from timeline)",
                Tampering.Missing
            ),
            ("update timeline_checkpoints set root = head where size = 4", Tampering.Forged),
        ];
        await Database.ExecuteAsync(
            "create function seq_of(id bigint) returns bigint language sql as 'select seq from kept_seals where entry_id = id'"
        );
        foreach (var (sql, kind) in attacks)
        {
            await History.TamperAsync(sql);
            await History.AssertFoundAsync(kind, sql);
            await History.TamperAsync(
                "delete from timeline; insert into timeline overriding system value select * from kept; "
                    + "delete from timeline_seals; insert into timeline_seals select * from kept_seals; "
                    + "delete from timeline_checkpoints; insert into timeline_checkpoints select * from kept_checkpoints"
            );
        }

        await History.AssertIntactAsync();
    }

    [Fact]
    public async Task Drop_without_a_statement_or_with_a_forged_one_is_found()
    {
        await EndedAsync(20);
        await EndedAsync(19);
        await History.Sealer.RunAsync();
        using var other = CheckpointKey.Create();
        await using var source = NpgsqlDataSource.Create(Database.PostgresConnectionString);
        var forged = await ForgedAsync(History.Sealer.Audit.Key.Id, other);

        // The owner of the tables has no key of the servers.
        await History.TamperAsync("delete from timeline where entry_id in (select entry_id from timeline_seals where seq in (2, 3))");
        await History.TamperAsync("delete from timeline_seals where seq in (2, 3)");
        await History.AssertFoundAsync(Tampering.Missing, "no statement");

        await InsertAsync(source, forged);
        await History.AssertFoundAsync(Tampering.Missing, "a statement with a false signature counts as none");
    }

    [Fact]
    public async Task Forged_statement_is_found_although_nothing_is_missing()
    {
        await EndedAsync(20);
        await History.Sealer.RunAsync();
        using var other = CheckpointKey.Create();
        await using var source = NpgsqlDataSource.Create(Database.PostgresConnectionString);

        await InsertAsync(source, await ForgedAsync(History.Sealer.Audit.Key.Id, other));

        await History.AssertFoundAsync(Tampering.Forged, "another key");
    }

    [Fact]
    public async Task Nothing_is_dropped_from_a_history_that_is_not_intact()
    {
        await EndedAsync(20);
        await History.Sealer.RunAsync();
        await History.TamperAsync("update timeline set actor = 'another' where kind = 'expired'");
        var before = await CountsAsync();

        var refused = await Assert.ThrowsAsync<ExitException>(() => History.RetainAsync());

        Assert.Equal(ExitCode.No, refused.Code);
        Assert.Contains("not intact", refused.Message, StringComparison.Ordinal);
        Assert.Equal(before, await CountsAsync());
    }

    [Fact]
    public async Task Only_the_owner_drops_days_and_only_in_a_transaction_that_says_so()
    {
        await EndedAsync(20);
        await History.Sealer.RunAsync();
        var role = $"serve_{Guid.NewGuid():n}";
        await Database.ExecuteAsync($"create role {role} login");
        try
        {
            await ReadAsync(async db =>
            {
                await Migrator.GrantAsync(db, role, Stop);
                return true;
            });
            var asRole = new NpgsqlConnectionStringBuilder(Database.PostgresConnectionString) { Username = role, Pooling = false };
            var refused = await Assert.ThrowsAsync<ExitException>(() => History.RetainAsync(connection: asRole.ConnectionString));
            Assert.Equal(ExitCode.WrongUse, refused.Code);

            // A role with a granted right to delete is refused too.
            await Database.ExecuteAsync($"grant delete on timeline, timeline_seals to {role}");
            await using var source = NpgsqlDataSource.Create(asRole.ConnectionString);
            await AssertRefusedAsync(source, "set dispatcher.retain = 'on'; delete from timeline");
            await AssertRefusedAsync(source, "set dispatcher.retain = 'on'; delete from timeline_seals");
        }
        finally
        {
            await Database.ExecuteAsync($"drop owned by {role}; drop role {role}");
        }

        await using var owner = NpgsqlDataSource.Create(Database.PostgresConnectionString + ";Pooling=false");
        await AssertRefusedAsync(owner, "delete from timeline");
        await AssertRefusedAsync(owner, "set dispatcher.retain = 'on'; update timeline set actor = 'another'");
        await AssertRefusedAsync(owner, "set dispatcher.retain = 'on'; truncate timeline");
        await AssertRefusedAsync(owner, "set dispatcher.retain = 'on'; delete from timeline_checkpoints");
    }

    private static async Task AssertRefusedAsync(NpgsqlDataSource source, string sql)
    {
        await using var command = source.CreateCommand(sql);
        var refused = await Assert.ThrowsAsync<PostgresException>(() => command.ExecuteNonQueryAsync(Stop));
        Assert.Contains("append-only", refused.Message, StringComparison.Ordinal);
    }

    private async Task<Retention> ForgedAsync(string keyId, CheckpointKey key)
    {
        var seals = await History.Sealer.Table.AfterAsync(0, 10, Stop);
        var tree = new MerkleFrontier();
        seals.ForEach(seal => tree.Add(seal.Hash));
        var forged = new Retention
        {
            From = Day(20),
            Before = Day(7),
            Entries = 2,
            Size = tree.Size,
            Origin = TimelineCheckpoint.OriginOf(seals[0].Hash),
            Root = Convert.ToHexStringLower(tree.Root()),
            Head = Convert.ToHexStringLower(seals[^1].Hash),
            Frontier = tree.ToBytes(),
            Kept = [],
            KeptSha256 = "",
            At = 1,
        };
        return key.Sign(forged) with { KeyId = keyId };
    }

    private static async Task InsertAsync(NpgsqlDataSource source, Retention retention)
    {
        await using var command = source.CreateCommand(
            "insert into timeline (job_id, at, kind, attempt, actor, detail) values ($1, $2, 'retained', 0, 'dispatcher', $3)"
        );
        command.Parameters.AddWithValue(Guid.Empty);
        command.Parameters.AddWithValue(Timestamps.Micros(DateTimeOffset.UtcNow));
        command.Parameters.AddWithValue(retention.Write());
        await command.ExecuteNonQueryAsync(Stop);
    }
}
