using System.Data.Common;
using System.Diagnostics;
using Dispatcher.Contracts;
using Dispatcher.Intake;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.StoreTests.Outbox;

/// <summary>These tests restart the shared server, so no other test runs at the same time.</summary>
[CollectionDefinition(nameof(AloneOnTheServer), DisableParallelization = true)]
public sealed class AloneOnTheServer;

/// <summary>An unavailable database is never a fault of the job: the writers keep their items and retry.</summary>
[Collection(nameof(AloneOnTheServer))]
public sealed class LostDatabaseTests() : StoreTest(StoreKind.Postgres)
{
    [Fact(Timeout = 60_000)]
    public async Task Killed_database_causes_no_fault_and_no_duplicate_job()
    {
        await using var writers = await Writers.OnAsync(Database);
        var jobs = await WhileKilledAsync(async () =>
        {
            // Twice, so that the server dies during the read of known submissions as well.
            var job = AJob.New($"{Guid.CreateVersion7()}");
            var results = await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => writers.Intake.AddAsync(AnAcceptance.Of(job), Stop)));
            Assert.All(results, result => Assert.True(result.Outcome is IntakeOutcome.Stored or IntakeOutcome.Known, $"{result.Outcome}"));
            Assert.All(results, result => Assert.Equal(job.JobId, result.Answer!.JobId));
            return job.JobId;
        });

        Assert.True(writers.TimesWaited > 0, "The writers did not notice that the server was killed.");
        Assert.Equal(jobs.Order(), (await JobsAsync()).Select(job => job.JobId).Order());
        Assert.Equal(jobs.Count + 1, await Database.CountAsync("timeline"));
        Assert.Equal(jobs.Count, (await OutboxAsync()).Count(message => message.Type == "event"));
    }

    [Fact(Timeout = 60_000)]
    public async Task Killed_database_causes_no_fault_and_applies_each_move_once()
    {
        await using var writers = await Writers.OnAsync(Database);
        var moves = await WhileKilledAsync(async () =>
        {
            var job = await StoredThroughAsync(writers);
            var move = new Move(job, job with { State = JobState.Dispatched, Worker = "this one" })
            {
                Entry = AnAcceptance.Of(job).Entry with { Kind = TimelineKinds.Dispatched },
            };
            return (job.JobId, Result: await writers.Moves.AddAsync(move, Stop));
        });

        // Stale: the commit succeeded and its answer was lost, so the repeat found a newer version. Two lanes of at most 256 were open.
        Assert.True(writers.TimesWaited > 0, "The writers did not notice that the server was killed.");
        Assert.InRange(moves.Count(move => move.Result == MoveResult.Stale), 0, 512);
        Assert.DoesNotContain(moves, move => move.Result == MoveResult.PolicyChanged);
        Assert.All(await JobsAsync(), job => Assert.Equal((JobState.Dispatched, 1, "this one"), (job.State, job.Version, job.Worker)));
        Assert.Equal((moves.Count * 2) + 1, await Database.CountAsync("timeline"));
    }

    [Fact(Timeout = 60_000)]
    public async Task Read_from_a_killed_database_fails_with_a_store_fault()
    {
        await Store.TakeOutboxAsync(1, TimeSpan.Zero, Stop);
        await KillAsync();

        // The connection in the pool is dead; the callers catch DbException and retry.
        var fault = await Record.ExceptionAsync(() => Store.TakeOutboxAsync(1, TimeSpan.Zero, Stop));

        Assert.True(fault is null or DbException, $"{fault}");
    }

    /// <summary>Repeats the work in many tasks, before and during the kill and shortly after the restart. Returns every result.</summary>
    private static async Task<IReadOnlyList<T>> WhileKilledAsync<T>(Func<Task<T>> once)
    {
        var (killing, up) = (new TaskCompletionSource(), false);
        var done = AtOnceAsync(
            60,
            async _ =>
            {
                var mine = new List<T>();
                for (var after = 0; after < 3; after += Volatile.Read(ref up) ? 1 : 0)
                {
                    mine.Add(await once());
                    killing.TrySetResult();
                }

                return mine;
            }
        );
        await killing.Task;
        await KillAsync();
        Volatile.Write(ref up, true);
        return [.. (await done).SelectMany(mine => mine)];
    }

    private static async Task<Job> StoredThroughAsync(Writers writers)
    {
        var job = AJob.New();
        await writers.Intake.AddAsync(AnAcceptance.Of(job), Stop);
        return job;
    }

    /// <summary>Returns when the server accepts connections again.</summary>
    private static async Task KillAsync()
    {
        var script = Environment.GetEnvironmentVariable("DISPATCHER_TEST_RESTART_POSTGRES");
        Assert.SkipWhen(
            string.IsNullOrEmpty(script),
            "DISPATCHER_TEST_RESTART_POSTGRES is not set: run the tests with ops/test.sh, which starts the servers."
        );
        using var restart = Process.Start(
            new ProcessStartInfo(script!, ["kill"]) { RedirectStandardOutput = true, RedirectStandardError = true }
        )!;
        await restart.WaitForExitAsync(Stop);
        Assert.Equal(0, restart.ExitCode);
    }
}

/// <summary>A process that stops while the store is unavailable answers every waiting caller.</summary>
public sealed class StoppingTests
{
    [Fact(Timeout = 30_000)]
    public async Task Stopped_writer_answers_every_caller()
    {
        var services = new ServiceCollection();
        services.AddPostgresStore("Host=127.0.0.1;Port=1;Username=nobody;Timeout=1");
        await using var provider = services.BuildServiceProvider();
        await using var writers = await Writers.OnAsync(
            provider.GetRequiredService<IStore>(),
            provider.GetRequiredService<IDbContextFactory<DispatcherDb>>()
        );

        // Equal ids: one item is in the commit, the others wait for a later batch.
        var job = AJob.New();
        var waiting = Enumerable.Range(0, 20).Select(_ => writers.Intake.AddAsync(AnAcceptance.Of(job), CancellationToken.None)).ToList();
        await Task.Delay(TimeSpan.FromMilliseconds(200), TestContext.Current.CancellationToken);
        Assert.DoesNotContain(waiting, task => task.IsCompleted);

        await writers.StopAsync();

        foreach (var task in waiting)
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
                task.WaitAsync(TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken)
            );
        }
    }
}
