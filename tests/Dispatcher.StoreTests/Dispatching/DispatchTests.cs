using Dispatcher.Contracts;

namespace Dispatcher.StoreTests.Dispatching;

/// <summary>The bundle changes between the decision about a job and its commit.</summary>
public abstract class DispatchTests(StoreKind kind) : StoreTest(kind)
{
    private const string Topic = "job.exec.shell: { pool: shell, owner: team }";
    private const string Allow = "{ id: all, match: { topic: job.exec.shell }, decision: ALLOW }";

    [Fact]
    public async Task A_job_goes_that_the_bundle_in_force_allows()
    {
        await using var writers = await Writers.OnAsync(Database);
        var job = await StoredAsync(AJob.New());
        await writers.BundleAsync(Topic, Store, Stop, Allow);

        await writers.DispatchAsync(job, Stop);

        Assert.Equal((JobState.Dispatched, 1), ((await JobAsync(job.JobId)).State, (await JobAsync(job.JobId)).Attempt));
    }

    [Theory]
    [InlineData("rules are gone", JobState.Denied)]
    [InlineData("another pool", JobState.Accepted)]
    [InlineData("cannot be read", JobState.Accepted)]
    public async Task A_job_whose_bundle_changed_meanwhile_is_judged_again_and_ends_only_by_rules_that_can_be_read(string change, JobState state)
    {
        await using var writers = await Writers.OnAsync(Database);
        var job = await StoredAsync(AJob.New());
        await writers.BundleAsync(Topic, Store, Stop, Allow);
        var judged = await writers.JudgeAsync(job, Stop);
        Assert.Equal(Verdict.Allow, judged.Decision.Verdict);
        await (change switch
        {
            "rules are gone" => writers.BundleAsync(Topic, Store, Stop, known: false),
            "another pool" => writers.BundleAsync(Topic.Replace("pool: shell", "pool: moved", StringComparison.Ordinal), Store, Stop, Allow, known: false),
            _ => ActivateAsync("a bundle of a newer version"),
        });

        await writers.DispatchAsync(judged, Stop);

        Assert.Equal(state, (await JobAsync(job.JobId)).State);
    }
}

public sealed class PostgresDispatchTests() : DispatchTests(StoreKind.Postgres);

public sealed class SqliteDispatchTests() : DispatchTests(StoreKind.Sqlite);
