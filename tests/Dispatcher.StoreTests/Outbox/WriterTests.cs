using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Intake;
using Dispatcher.Jobs;
using Dispatcher.Outbox;

namespace Dispatcher.StoreTests.Outbox;

/// <summary>The group commit of intake and of moves: many callers, few transactions, and each caller gets its result.</summary>
public abstract class WriterTests(StoreKind kind) : StoreTest(kind)
{
    /// <summary>2,000 concurrent groups of submissions that conflict in every way, through the writers of two processes.</summary>
    [Fact]
    public async Task Each_of_many_concurrent_submissions_gets_its_result()
    {
        await using var one = await Writers.OnAsync(Database);
        await using var other = await Writers.OnAsync(Database);

        var results = await AtOnceAsync(
            200,
            async group =>
            {
                var submissions = Group(group);
                var writers = new[] { one, other };
                return await Task.WhenAll(
                    submissions.Select((submission, i) => writers[(group + i) % 2].Intake.AddAsync(submission, Stop))
                );
            }
        );

        for (var group = 0; group < results.Length; group++)
        {
            AssertGroup(results[group]);
        }

        // Of each group: one job five times, one of two jobs with an equal id, one of two jobs with an equal key, and a denial.
        Assert.Equal(200 * 4, await Database.CountAsync("jobs") + await Database.CountAsync("denials"));
        Assert.Equal((200 * 4) + 1, await Database.CountAsync("timeline"));
        var own = (await OutboxAsync()).Where(message => message.Type == "event");
        Assert.Equal(200 * 4, own.Count());
    }

    [Fact]
    public async Task Few_messages_signal_the_pools_of_all_ready_jobs()
    {
        await using var writers = await Writers.OnAsync(Database);
        var jobs = Enumerable
            .Range(0, 300)
            .Select(i =>
                AJob.New() with
                {
                    State = i % 10 == 0 ? JobState.Held : JobState.Accepted,
                    Pool = i % 10 == 0 ? "held" : $"pool-{i % 3}",
                }
            )
            .ToList();

        await AtOnceAsync(300, i => writers.Intake.AddAsync(AnAcceptance.Of(jobs[i]), Stop));

        var packed = (await OutboxAsync())
            .Where(message => message.Type == "dispatch")
            .Select(message => JsonSerializer.Deserialize<DispatchSignal>(message.Body)!.Pools)
            .ToList();
        Assert.Equal(["pool-0", "pool-1", "pool-2"], packed.SelectMany(pools => pools).Distinct().Order());
        Assert.True(packed.Count < 100, $"{packed.Count} messages for 270 jobs: they were not packed.");
    }

    [Fact]
    public async Task Submission_evaluated_under_another_bundle_is_reevaluated()
    {
        await using var writers = await Writers.OnAsync(Database);
        await ActivateAsync("policy-2");
        var known = AJob.New("key").Under("policy-2");
        Assert.Equal(IntakeOutcome.Stored, (await writers.Intake.AddAsync(AnAcceptance.Of(known), Stop)).Outcome);

        var results = await Task.WhenAll(
            writers.Intake.AddAsync(AnAcceptance.Of(AJob.New()), Stop),
            writers.Intake.AddAsync(AnAcceptance.Denying(AJob.New()), Stop),
            writers.Intake.AddAsync(AnAcceptance.Of(known.Under(AJob.Policy)), Stop),
            writers.Intake.AddAsync(AnAcceptance.Of(AJob.New("key", payload: "[]")), Stop)
        );

        // A known submission gets its first answer, under every bundle.
        Assert.Equal(
            [IntakeOutcome.PolicyChanged, IntakeOutcome.PolicyChanged, IntakeOutcome.Known, IntakeOutcome.Conflict],
            results.Select(result => result.Outcome)
        );
        Assert.Equal("policy-2", results[2].Answer!.PolicyHash);
        Assert.Null(results[3].Answer);
    }

    [Fact]
    public async Task Data_error_is_returned_to_its_caller_only()
    {
        await using var writers = await Writers.OnAsync(Database);
        var bad = AnAcceptance.Of(AJob.New()) is var good ? good with { Entry = good.Entry with { Actor = null! } } : null!;
        var others = Enumerable.Range(0, 50).Select(_ => AnAcceptance.Of(AJob.New())).ToList();

        var results = await AtOnceAsync(
            51,
            async i =>
            {
                try
                {
                    return (await writers.Intake.AddAsync(i == 25 ? bad : others[i < 25 ? i : i - 1], Stop)).Outcome;
                }
                catch (System.Data.Common.DbException)
                {
                    return (IntakeOutcome?)null;
                }
            }
        );

        Assert.Equal(25, Array.IndexOf(results, null));
        Assert.Equal(50, results.Count(result => result == IntakeOutcome.Stored));
        Assert.Equal(50, await Database.CountAsync("jobs"));
    }

    [Fact]
    public async Task One_move_of_each_version_is_applied()
    {
        await using var one = await Writers.OnAsync(Database);
        await using var other = await Writers.OnAsync(Database);
        var jobs = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => StoredAsync(AJob.New())));

        // Each caller moves the jobs in a different order, so that rows that are not sorted are locked in different orders.
        var results = await AtOnceAsync(
            8,
            caller =>
                Task.WhenAll(
                    jobs.OrderBy(job => HashCode.Combine(job.JobId, caller))
                        .Select(async job =>
                            (
                                job.JobId,
                                Result: await (caller % 2 == 0 ? one : other).Moves.AddAsync(
                                    new Move(job, job with { State = JobState.Cancelled }),
                                    Stop
                                )
                            )
                        )
                )
        );

        var byJob = results.SelectMany(mine => mine).ToLookup(pair => pair.JobId, pair => pair.Result);
        Assert.All(
            byJob,
            job => Assert.Equal((1, 7), (job.Count(result => result == MoveResult.Moved), job.Count(result => result == MoveResult.Stale)))
        );
        Assert.All(await JobsAsync(), job => Assert.Equal((JobState.Cancelled, 1), (job.State, job.Version)));
    }

    [Fact]
    public async Task Move_commits_the_event_of_its_new_state()
    {
        await using var writers = await Writers.OnAsync(Database);
        var job = await StoredAsync(AJob.New());

        await writers.Moves.AddAsync(new Move(job, job with { State = JobState.Cancelled }), Stop);
        await writers.Moves.AddAsync(new Move(job, job with { State = JobState.Cancelled }), Stop);

        var published = Assert.Single(
            await OutboxAsync(),
            message => message.RoutingKey.StartsWith("cancelled.", StringComparison.Ordinal)
        );
        Assert.Equal("cancelled.billing.job.exec.shell", published.RoutingKey);
    }

    [Fact]
    public async Task Move_under_another_bundle_returns_policy_changed()
    {
        await using var writers = await Writers.OnAsync(Database);
        var job = await StoredAsync(AJob.New());
        await ActivateAsync("policy-2");

        Assert.Equal(
            MoveResult.PolicyChanged,
            await writers.Moves.AddAsync(new Move(job, job with { State = JobState.Dispatched, PolicyHash = AJob.Policy }), Stop)
        );
        Assert.Equal(
            MoveResult.Moved,
            await writers.Moves.AddAsync(new Move(job, job with { State = JobState.Dispatched, PolicyHash = "policy-2" }), Stop)
        );
    }

    /// <summary>Ten submissions: five times the same job; two with one id; two with one key, one of them denied; one denied.</summary>
    private static Acceptance[] Group(int group)
    {
        var same = AJob.New($"same-{group}");
        var rival = AJob.New();
        return
        [
            .. Enumerable.Range(0, 5).Select(_ => AnAcceptance.Of(same)),
            AnAcceptance.Of(rival),
            AnAcceptance.Of(AJob.New(id: rival.JobId, payload: "[]")),
            AnAcceptance.Of(AJob.New($"key-{group}")),
            AnAcceptance.Denying(AJob.New($"key-{group}", payload: "[]")),
            AnAcceptance.Denying(AJob.New($"denied-{group}")),
        ];
    }

    private static void AssertGroup(IntakeResult[] results)
    {
        Assert.Equal((1, 4), (Count(results[..5], IntakeOutcome.Stored), Count(results[..5], IntakeOutcome.Known)));
        Assert.Single(results[..5].Select(result => (result.Answer!.JobId, result.Answer.JobHash, result.Answer.State)).Distinct());
        foreach (var rivals in new[] { results[5..7], results[7..9] })
        {
            Assert.Equal((1, 1), (Count(rivals, IntakeOutcome.Stored), Count(rivals, IntakeOutcome.Conflict)));
            Assert.Null(rivals.Single(result => result.Outcome == IntakeOutcome.Conflict).Answer);
        }

        Assert.Equal((IntakeOutcome.Stored, JobState.Denied), (results[9].Outcome, results[9].Answer!.State));
    }

    private static int Count(IntakeResult[] results, IntakeOutcome outcome) => results.Count(result => result.Outcome == outcome);
}

public sealed class PostgresWriterTests() : WriterTests(StoreKind.Postgres)
{
    /// <summary>A value longer than an index entry can be. Retrying it without end would block all later items.</summary>
    [Fact(Timeout = 30_000)]
    public async Task Value_too_large_for_the_database_is_returned_to_its_caller()
    {
        await using var writers = await Writers.OnAsync(Database);
        var key = Convert.ToHexString(System.Security.Cryptography.RandomNumberGenerator.GetBytes(20_000));

        await Assert.ThrowsAsync<Npgsql.PostgresException>(() => writers.Intake.AddAsync(AnAcceptance.Of(AJob.New(key)), Stop));
    }
}

public sealed class SqliteWriterTests() : WriterTests(StoreKind.Sqlite);
