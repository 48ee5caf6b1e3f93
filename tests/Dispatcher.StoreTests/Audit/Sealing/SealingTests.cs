using System.Data.Common;
using Dispatcher.Audit.Sealing;
using Microsoft.Extensions.Time.Testing;
using Npgsql;

namespace Dispatcher.StoreTests.Audit.Sealing;

/// <summary>Committed entries are sealed once, in order and without a gap, by one sealer at a time.</summary>
public abstract class SealingTests(StoreKind kind) : StoreTest(kind)
{
    [Fact]
    public async Task Sealers_number_every_entry_once_without_a_gap_during_concurrent_writes()
    {
        using var first = await ASealer.OnAsync(Database);
        using var second = await ASealer.OnAsync(Database);

        await AtOnceAsync(
            6,
            async i =>
            {
                for (var round = 0; round < 10; round++)
                {
                    if (i < 4)
                    {
                        await StoredAsync(AJob.New());
                    }
                    else
                    {
                        await (i == 4 ? first : second).Sealer.SealAsync(Stop);
                    }
                }

                return i;
            }
        );
        await first.Sealer.SealAsync(Stop);

        var seals = await first.Table.AfterAsync(0, 1_000, Stop);
        Assert.Equal(41, seals.Count);
        Assert.Equal(Enumerable.Range(1, 41).Select(i => (long)i), seals.Select(seal => seal.Seq));
        Assert.Equal(
            (await Database.QueryAsync("select entry_id from timeline order by entry_id")).Select(row => row[0]),
            seals.Select(seal => (object)seal.EntryId).Order()
        );
    }

    [Fact]
    public async Task Seal_links_each_entry_to_the_entry_of_its_job_before_it()
    {
        using var sealer = await ASealer.OnAsync(Database);
        var job = await StoredAsync(AJob.New());
        await sealer.Sealer.SealAsync(Stop);
        await StoredAsync(AJob.New());
        var entry = AnAcceptance.Of(job).Entry;
        await Store.RecordAsync([entry with { Kind = "claimed" }], [], Stop);
        await Store.RecordAsync([entry with { Kind = "returned" }], [], Stop);
        await sealer.Sealer.SealAsync(Stop);

        var seals = await sealer.Table.AfterAsync(0, 100, Stop);

        Assert.Equal([0, 2, 4], seals.Where(seal => seal.JobId == job.JobId).Select(seal => seal.JobPrevious));
    }

    /// <summary>Each process remembers the last seals that it wrote, and must not link to a seal that is no longer the last one.</summary>
    [Fact]
    public async Task Sealers_that_take_turns_link_each_entry_to_the_last_seal_of_its_job()
    {
        using var first = await ASealer.OnAsync(Database);
        using var second = await ASealer.OnAsync(Database);
        var job = await StoredAsync(AJob.New());
        await first.Sealer.SealAsync(Stop);
        var entry = AnAcceptance.Of(job).Entry;
        for (var i = 0; i < 4; i++)
        {
            await Store.RecordAsync([entry with { Kind = "claimed" }], [], Stop);
            Assert.Equal(1, await (i % 2 == 0 ? second : first).Sealer.SealAsync(Stop));
        }

        var seals = (await first.Table.AfterAsync(0, 100, Stop)).Where(seal => seal.JobId == job.JobId).ToList();

        Assert.Equal([0, 2, 3, 4, 5], seals.Select(seal => seal.JobPrevious));
    }

    [Theory]
    [InlineData("update timeline_seals set seq = seq + 1")]
    [InlineData("delete from timeline_seals")]
    [InlineData("update timeline_checkpoints set size = 1")]
    [InlineData("delete from timeline_checkpoints")]
    public async Task Store_refuses_a_change_of_seals_and_checkpoints(string statement)
    {
        using var sealer = await ASealer.OnAsync(Database);
        await sealer.RunAsync();

        var refused = await Assert.ThrowsAnyAsync<DbException>(() => Database.ExecuteAsync(statement));

        Assert.Contains("append-only", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Checkpoints_are_signed_into_file_and_store_and_continue_after_a_restart()
    {
        using var first = await ASealer.OnAsync(Database);
        await StoredAsync(AJob.New());
        await first.RunAsync();
        await first.RunAsync();
        await StoredAsync(AJob.New());
        using var restarted = await ASealer.OnAsync(Database, first.Folder);
        await restarted.RunAsync();

        var tree = new MerkleFrontier();
        (await first.Table.AfterAsync(0, 100, Stop)).ForEach(seal => tree.Add(seal.Hash));
        var stored = await ReadAsync(db => Task.FromResult(db.Checkpoints.OrderBy(checkpoint => checkpoint.Size).ToList()));
        Assert.Equal([2, 3], stored.Select(checkpoint => checkpoint.Size));
        Assert.Equal(tree.Root(), stored[1].Root);
        Assert.All(stored, checkpoint => Assert.True(first.Audit.Key.HasSigned(checkpoint)));
        var lines = await File.ReadAllLinesAsync(first.Audit.Checkpoints, Stop);
        Assert.Equal(stored.Select(CheckpointJson.Write), lines);
    }

    [Fact]
    public async Task Signing_stops_when_the_history_differs_from_what_was_signed()
    {
        using var sealer = await ASealer.OnAsync(Database);
        await StoredAsync(AJob.New());
        await sealer.RunAsync();
        await Tables.UnlockAsync(Database, Kind);
        await Database.ExecuteAsync("delete from timeline_seals where seq = 2");
        using var shorter = await ASealer.OnAsync(Database, sealer.Folder);
        await shorter.Checkpoints.OnceAsync(now: true, Stop);
        await sealer.RunAsync();

        using var other = await ASealer.OnAsync(Database, sealer.Folder);
        await Database.ExecuteAsync($"update timeline_seals set hash = (select hash from timeline_seals where seq = 1) where seq = 2");
        await other.RunAsync();

        Assert.NotNull(shorter.Sealer.Trouble);
        Assert.NotNull(other.Sealer.Trouble);
        Assert.Single(await File.ReadAllLinesAsync(sealer.Audit.Checkpoints, Stop));
    }
}

public sealed class PostgresSealingTests() : SealingTests(StoreKind.Postgres)
{
    /// <summary>
    /// The id is assigned before the commit, so an entry with a lower id can be committed after others were sealed.
    /// </summary>
    [Fact]
    public async Task Entry_with_an_early_id_is_sealed_after_a_late_commit()
    {
        var time = new FakeTimeProvider();
        using var sealer = await ASealer.OnAsync(Database, time: time);
        await using var late = new NpgsqlConnection(Database.PostgresConnectionString);
        await using var transaction = await BeginEntryAsync(late);
        for (var i = 0; i < 3; i++)
        {
            await StoredAsync(AJob.New());
        }

        for (var i = 0; i < 5; i++)
        {
            Assert.Equal(i == 0 ? 4 : 0, await sealer.Sealer.SealAsync(Stop));
            time.Advance(TimeSpan.FromSeconds(20));
        }

        await transaction.CommitAsync(Stop);

        Assert.Equal(1, await sealer.Sealer.SealAsync(Stop));
        Assert.Equal([1, 3, 4, 5, 2], (await sealer.Table.AfterAsync(0, 100, Stop)).Select(seal => seal.EntryId));
    }

    /// <summary>
    /// A pass must not read the whole history. An entry inserted below the floor is found by the periodic pass over all entries.
    /// </summary>
    [Fact]
    public async Task Floor_rises_over_sealed_entries_and_a_periodic_pass_reads_those_below()
    {
        var time = new FakeTimeProvider();
        using var sealer = await ASealer.OnAsync(Database, time: time);
        await StoredAsync(AJob.New());

        await RaiseFloorAsync(sealer, time);

        await Database.ExecuteAsync(
            """
            insert into timeline (entry_id, job_id, at, kind, attempt, actor, detail) overriding system value
            select 0, job_id, at, kind, attempt, actor, detail from timeline where entry_id = 1
            """
        );
        var above = await sealer.Sealer.SealAsync(Stop);
        time.Advance(TimeSpan.FromHours(2));

        Assert.Equal((0, 1), (above, await sealer.Sealer.SealAsync(Stop)));
    }

    /// <summary>Above the floor, a pass only reads ids without a seal: the id of an open transaction is one of them.</summary>
    [Fact]
    public async Task Entry_with_an_early_id_is_sealed_when_the_floor_has_risen()
    {
        var time = new FakeTimeProvider();
        using var sealer = await ASealer.OnAsync(Database, time: time);
        await StoredAsync(AJob.New());
        await RaiseFloorAsync(sealer, time);

        await using var late = new NpgsqlConnection(Database.PostgresConnectionString);
        await using var transaction = await BeginEntryAsync(late);
        await StoredAsync(AJob.New());
        var before = await sealer.Sealer.SealAsync(Stop);
        await transaction.CommitAsync(Stop);

        Assert.Equal((1, 1), (before, await sealer.Sealer.SealAsync(Stop)));
        Assert.Equal([1, 2, 4, 3], (await sealer.Table.AfterAsync(0, 100, Stop)).Select(seal => seal.EntryId));
    }

    /// <summary>
    /// Other tests have transactions on the same server: the floor stays until the transactions that are open now have ended.
    /// </summary>
    private static async Task RaiseFloorAsync(ASealer sealer, FakeTimeProvider time)
    {
        while (sealer.Sealer.Floor <= 0)
        {
            await sealer.Sealer.SealAsync(Stop);
            time.Advance(TimeSpan.FromSeconds(11));
        }
    }

    /// <summary>Inserts an entry, which takes its id, in a transaction that the caller commits.</summary>
    private static async Task<NpgsqlTransaction> BeginEntryAsync(NpgsqlConnection connection)
    {
        await connection.OpenAsync(Stop);
        var transaction = await connection.BeginTransactionAsync(Stop);
        await using var insert = new NpgsqlCommand(
            "insert into timeline (job_id, at, kind, attempt, actor, detail) values (gen_random_uuid(), 1, 'late', 0, 'x', '{}')",
            connection,
            transaction
        );
        await insert.ExecuteNonQueryAsync(Stop);
        return transaction;
    }

    [Theory]
    [InlineData("truncate timeline_seals")]
    [InlineData("truncate timeline_checkpoints")]
    public async Task Store_refuses_to_truncate_seals_and_checkpoints(string statement) =>
        Assert.Contains(
            "append-only",
            (await Assert.ThrowsAnyAsync<DbException>(() => Database.ExecuteAsync(statement))).Message,
            StringComparison.Ordinal
        );
}

public sealed class SqliteSealingTests() : SealingTests(StoreKind.Sqlite)
{
    [Theory]
    [InlineData("replace into timeline_seals select seq, entry_id, job_id, 7, hash from timeline_seals")]
    [InlineData("replace into timeline_seals select seq + 100, entry_id, job_id, 7, hash from timeline_seals")]
    [InlineData(
        "replace into timeline_checkpoints select size, key_id, 'x', root, head, at, signature, frontier from timeline_checkpoints"
    )]
    public async Task Store_refuses_to_replace_seals_and_checkpoints(string statement)
    {
        using var sealer = await ASealer.OnAsync(Database);
        await sealer.RunAsync();

        Assert.Contains(
            "append-only",
            (await Assert.ThrowsAnyAsync<DbException>(() => Database.ExecuteAsync(statement))).Message,
            StringComparison.Ordinal
        );
    }
}
