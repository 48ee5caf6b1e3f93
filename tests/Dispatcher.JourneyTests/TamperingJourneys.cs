using System.Net;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.JourneyTests.Staging;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.JourneyTests;

/// <summary>Somebody writes to the tables beside the servers, with more rights than a server has.</summary>
public sealed class TamperingJourneys
{
    private static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Swapped_payload_does_not_run_and_is_named_by_gate_and_audit()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        var ana = await dispatcher.MakeKeyAsync("ana", "approver");
        var billing = await journey.ProducerAsync();
        var job = AJob.On("job.test.held");
        await billing.PublishAsync(job);
        await Eventually.IsAsync(() => billing.Decision(job) is not null, "it is held\n" + dispatcher.Log);
        Assert.Equal(HttpStatusCode.OK, (await dispatcher.VoteAsync(job.JobId, "approve", ana)).Status);
        await SwapAsync(journey, job.JobId);

        await journey.CountingWorkerAsync(dispatcher);
        await dispatcher.InStateAsync(job.JobId, "denied");

        Assert.StartsWith(
            "timeline_mismatch",
            (await dispatcher.JobAsync(job.JobId)).GetProperty("reason").GetString(),
            StringComparison.Ordinal
        );
        Assert.Contains("its rows were changed outside the server", dispatcher.Log, StringComparison.Ordinal);
        Assert.Equal(0, await journey.Records.EffectsAsync());
        using var gate = await dispatcher
            .Client("nobody")
            .GetAsync(new Uri("/metrics/high-risk-unapproved?window=1h", UriKind.Relative), Now);
        Assert.NotEqual("0", await gate.Content.ReadAsStringAsync(Now));
        var (code, output) = await CommandLineRun.VerifyAuditAsync(journey);
        Assert.True(code == 1, output);
        Assert.Contains($"INCOMPLETE (job_hash_differs): job {job.JobId}", output, StringComparison.Ordinal);
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task Every_job_is_denied_while_the_bundle_has_no_activation()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        var genuine = await journey.Records.ActiveBundleAsync();
        await journey.ChangePoliciesAsync("  - { id: more, match: { topic: job.test.denied }, decision: DENY, reason: not there }\n");

        // Both bundles were in force once, and the row looks like an activation of the first.
        await ExecuteAsync(journey, $"update active_bundle set hash = '{genuine}', serial = 1");
        await Eventually.IsAsync(
            async () => await dispatcher.ReadinessAsync() is (HttpStatusCode.ServiceUnavailable, _),
            () => "it is not ready\n" + dispatcher.Log,
            TimeSpan.FromSeconds(20)
        );

        var (status, answer) = await dispatcher.SubmitAsync(AJob.On("job.test.once").Body());
        Assert.Equal((HttpStatusCode.Forbidden, "no_bundle"), (status, answer.GetProperty("reason").GetString()));
        Assert.Contains("No bundle is in force and every job is denied", dispatcher.Log, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await dispatcher.PinAsync(genuine)).Status);
        await dispatcher.ReadyAsync();
        Assert.Equal(HttpStatusCode.Accepted, (await dispatcher.SubmitAsync(AJob.On("job.test.once").Body())).Status);
    }

    /// <summary>Another payload under the job's name, in both rows that could contradict it.</summary>
    private static async Task SwapAsync(Journey journey, Guid jobId)
    {
        var registration = new ServiceCollection();
        registration.AddPostgresStore(journey.Postgres);
        await using var services = registration.BuildServiceProvider();
        await using var db = await services.GetRequiredService<IDbContextFactory<DispatcherDb>>().CreateDbContextAsync(Now);
        var job = await db.Jobs.AsNoTracking().SingleAsync(row => row.JobId == jobId, Now) with
        {
            Payload = """{"swapped":true}"""u8.ToArray(),
        };
        job = job with { JobHash = JobHash.Of(job) };
        var approval = await db.Approvals.AsNoTracking().SingleAsync(row => row.JobId == jobId, Now);
        approval.JobHash = job.JobHash;
        var view = ReviewSnapshot.Of(job, approval).Hash();
        await db
            .Jobs.Where(row => row.JobId == jobId)
            .ExecuteUpdateAsync(set => set.SetProperty(row => row.Payload, job.Payload).SetProperty(row => row.JobHash, job.JobHash), Now);
        await db
            .Approvals.Where(row => row.JobId == jobId)
            .ExecuteUpdateAsync(set => set.SetProperty(row => row.JobHash, job.JobHash).SetProperty(row => row.ViewHash, view), Now);
    }

    private static async Task ExecuteAsync(Journey journey, string sql)
    {
#pragma warning disable CA2100 // Texts of this test.
        await using var command = journey.Database.CreateCommand(sql);
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync(Now);
    }
}
