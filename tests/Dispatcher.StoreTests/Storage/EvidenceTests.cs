using Dispatcher.Contracts;
using Dispatcher.Jobs;

namespace Dispatcher.StoreTests.Storage;

/// <summary>Forged rows that agree with each other and contradict the timeline have no effect.</summary>
public abstract class EvidenceTests(StoreKind kind) : StoreTest(kind)
{
    [Fact]
    public async Task An_untouched_history_has_no_finding_and_the_gate_passes()
    {
        await using var jobs = await AnEvidencedJob.OnAsync(Database);
        var approved = await jobs.ApprovedAsync();
        Assert.Equal(JobState.Dispatched, await jobs.DispatchAsync(approved.JobId));
        Assert.Equal(JobState.Dispatched, await jobs.DispatchAsync((await jobs.AcceptedAsync()).JobId));

        Assert.Equal("", await jobs.GapsAsync());
        Assert.Equal(0, await jobs.GateAsync());
    }

    [Fact]
    public async Task An_approved_job_whose_payload_and_hashes_were_swapped_is_denied_and_the_gate_blocks()
    {
        await using var jobs = await AnEvidencedJob.OnAsync(Database);
        var swapped = await jobs.SwappedAsync(await jobs.ApprovedAsync());

        Assert.Equal(JobState.Denied, await jobs.DispatchAsync(swapped.JobId));

        Assert.NotEqual("", await jobs.GapsAsync());
        Assert.NotEqual(0, await jobs.GateAsync());
    }

    [Fact]
    public async Task An_allowed_job_whose_payload_and_hashes_were_swapped_is_denied_and_the_gate_blocks()
    {
        await using var jobs = await AnEvidencedJob.OnAsync(Database);
        var swapped = await jobs.SwappedAsync(await jobs.AcceptedAsync());

        Assert.Equal(JobState.Denied, await jobs.DispatchAsync(swapped.JobId));

        Assert.NotEqual("", await jobs.GapsAsync());
        Assert.NotEqual(0, await jobs.GateAsync());
    }

    [Fact]
    public async Task A_forged_bundle_is_not_in_force()
    {
        await using var jobs = await AnEvidencedJob.OnAsync(Database);
        var job = await jobs.AcceptedAsync();
        var forged = await Writers.InsertBundleAsync(
            AnEvidencedJob.Topics,
            Database,
            Stop,
            "{ id: everything, match: { topic: \"**\" }, decision: ALLOW }"
        );
        await Database.ExecuteAsync($"update active_bundle set hash = '{forged}'");

        var evaluated = await jobs.Writers.EvaluateAsync(await ReloadAsync(jobs, job), Stop);

        Assert.Equal((Verdict.Deny, "no_bundle"), (evaluated.Decision.Verdict, evaluated.Decision.Reason));
        Assert.NotEqual("", await jobs.GapsAsync());
    }

    [Theory]
    [InlineData("update jobs set state = 'succeeded', finished_at = 1")]
    [InlineData("update jobs set result = (select payload from jobs limit 1)")]
    [InlineData("delete from dead_letters")]
    public async Task A_changed_state_or_result_or_a_removed_dead_letter_is_found(string sql)
    {
        await using var jobs = await AnEvidencedJob.OnAsync(Database);
        await jobs.EndedAsync(
            new Fault
            {
                Class = "terminal",
                Type = "E",
                Message = "it broke",
            }
        );
        Assert.Equal("", await jobs.GapsAsync());

        await Database.ExecuteAsync(sql);

        Assert.NotEqual("", await jobs.GapsAsync());
    }

    private async Task<Job> ReloadAsync(AnEvidencedJob jobs, Job job)
    {
        await jobs.Writers.Current.OnceAsync(Stop);
        return await JobAsync(job.JobId);
    }
}

public sealed class PostgresEvidenceTests() : EvidenceTests(StoreKind.Postgres);

public sealed class SqliteEvidenceTests() : EvidenceTests(StoreKind.Sqlite);
