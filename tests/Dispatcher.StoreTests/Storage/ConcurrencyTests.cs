using System.Diagnostics;
using Dispatcher.Contracts;
using Dispatcher.Jobs;

namespace Dispatcher.StoreTests.Storage;

/// <summary>Concurrent callers each get an answer, and the stored rows match the answers.</summary>
public abstract class ConcurrencyTests(StoreKind kind) : StoreTest(kind)
{
    [Fact]
    public async Task Eight_concurrent_tasks_with_all_operations_finish()
    {
        var stored = await AtOnceAsync(
            8,
            async _ =>
            {
                var mine = 0;
                for (var n = 0; n < 10; n++)
                {
                    mine += await LifeAsync();
                }

                return mine;
            }
        );

        Assert.Equal([.. Enumerable.Repeat(10, 8)], stored);
        Assert.All(await JobsAsync(), job => Assert.Equal((JobState.Succeeded, 3), (job.State, job.Version)));
        Assert.Equal(0, await Database.CountAsync("outbox"));
        Assert.Equal(1 + (80 * 2), await Database.CountAsync("timeline"));
    }

    [Fact]
    public async Task Overlapping_concurrent_batches_store_each_identity_once()
    {
        // Half of each batch are shared ids, in a different order each time; the keys have the reverse order of the ids.
        var shared = Enumerable.Range(0, 40).Select(i => AJob.New($"shared-{40 - i}")).ToList();

        var committed = await AtOnceAsync(
            8,
            async i =>
            {
                var batch = shared
                    .Concat(Enumerable.Range(0, 10).Select(_ => AJob.New()))
                    .OrderBy(job => i % 2 == 0 ? job.JobId : new Guid([.. job.JobId.ToByteArray().Reverse()]));
                return await Store.AcceptAsync([.. batch.Select(AnAcceptance.Of)], null, Stop);
            }
        );

        Assert.Equal(40 + 80, committed.Sum(c => c.Jobs.Count));
        Assert.Equal(40 + 80, await Database.CountAsync("jobs"));
        Assert.Equal(40 + 80 + 1, await Database.CountAsync("timeline"));
    }

    [Fact]
    public async Task Heartbeats_and_moves_of_the_same_rows_in_another_order_finish()
    {
        var now = await Store.NowAsync(Stop);
        var jobs = Enumerable
            .Range(0, 200)
            .Select(_ =>
                AJob.New() with
                {
                    State = JobState.Running,
                    RunId = Guid.CreateVersion7(),
                    ClaimedBy = "worker-key",
                    DueAt = 1,
                    HeartbeatUs = 1_000_000,
                    RunUntil = now + 600_000_000,
                }
            )
            .ToList();
        await Store.AcceptAsync([.. jobs.Select(AnAcceptance.Of)], null, Stop);
        var runs = jobs.Select(job => new Run { JobId = job.JobId, RunId = job.RunId!.Value }).Reverse().ToList();

        var moved = await AtOnceAsync(
            6,
            async i =>
            {
                for (var n = 0; n < 20 && i % 3 == 0; n++)
                {
                    Assert.Equal(200, (await Store.ExtendLeasesAsync(runs, "worker-key", Stop)).Count);
                }

                for (var n = 0; n < 20 && i % 3 == 1; n++)
                {
                    await Store.TakeDueAsync(200, TimeSpan.FromMilliseconds(1), Stop);
                }

                var wins = 0;
                for (var n = 0; n < 20 && i % 3 == 2; n++)
                {
                    var rows = (await JobsAsync()).OrderBy(job => job.JobId);
                    wins += (await Store.MoveAsync([.. rows.Select(job => new Move(job, job))], Stop)).Jobs.Count;
                }

                return wins;
            }
        );

        Assert.Equal(moved.Sum(), (await JobsAsync()).Sum(job => job.Version));
    }

    /// <summary>All steps of a job, each in one transaction. Returns 1 if all succeed as without concurrency.</summary>
    private async Task<int> LifeAsync()
    {
        var acceptance = AnAcceptance.Of(AJob.New($"{Guid.CreateVersion7()}"));
        var accepted = (await Store.AcceptAsync([acceptance], null, Stop)).Jobs.Count;
        var job = await JobAsync(acceptance.JobId);
        await MovedAsync(new Move(job, job with { State = JobState.Dispatched, PolicyHash = AJob.Policy }));
        job = await JobAsync(acceptance.JobId);
        await MovedAsync(new Move(job, job with { State = JobState.Running, RunId = Guid.CreateVersion7(), ClaimedBy = "worker-key" }));
        job = await JobAsync(acceptance.JobId);
        await MovedAsync(new Move(job, job with { State = JobState.Succeeded }) { Entry = acceptance.Entry });
        await Store.TakeOutboxAsync(5, TimeSpan.FromMinutes(1), Stop);
        await Store.DeleteOutboxAsync([acceptance.Outbox[0].MessageId], Stop);
        return accepted;
    }
}

public sealed class PostgresConcurrencyTests() : ConcurrencyTests(StoreKind.Postgres);

public sealed class SqliteConcurrencyTests() : ConcurrencyTests(StoreKind.Sqlite)
{
    /// <summary>A process trusts its clock only if a measurement takes little time.</summary>
    [Fact]
    public async Task Clock_answers_during_a_write()
    {
        await using var db = await Database.Contexts.CreateDbContextAsync(Stop);
        await using var writer = await db.Database.BeginTransactionAsync(Stop);
        var asked = Stopwatch.GetTimestamp();

        await Store.NowAsync(Stop);

        Assert.InRange(Stopwatch.GetElapsedTime(asked), TimeSpan.Zero, TimeSpan.FromSeconds(2));
    }
}
