using System.Net;
using System.Text.Json.Nodes;
using Dispatcher.Contracts;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>One job at a time: what its producer sees of it.</summary>
public sealed class OneJobJourneys
{
    private static readonly AJob ReadTheLog = AJob.On("job.repo.read").With(new JsonObject { ["repo"] = "demo", ["op"] = "log" });

    [Fact]
    public async Task A_job_from_an_AMQP_client_is_decided_run_and_answered()
    {
        await using var journey = await Journey.BeginAsync(migrated: false);
        journey.Policies.CopyShipped();
        var dispatcher = await journey.DispatcherProcessAsync();
        await journey.RepoWorkerAsync(dispatcher);
        var billing = await journey.ProducerAsync();
        var job = ReadTheLog with { JobId = Guid.CreateVersion7() };

        await billing.PublishAsync(job);

        await Eventually.IsAsync(
            () => billing.Final(job) is not null && billing.EventsOf(job).Count > 0,
            "the final answer and the event come\n" + dispatcher.Log
        );
        var decision = billing.Decision(job)!;
        Assert.Equal((JobState.Accepted, Verdict.Allow), (decision.State, decision.Verdict));
        Assert.Equal(["allow-read-only"], decision.Rules);
        Assert.Equal(JobState.Succeeded, billing.Final(job)!.State);
        Assert.Equal(["succeeded"], billing.EventsOf(job));
        var stored = await dispatcher.JobAsync(job.JobId);
        Assert.Equal("A first commit", stored.GetProperty("result").GetProperty("commits")[0].GetProperty("subject").GetString());
        Assert.Equal("A first commit", billing.Final(job)!.Result!.Value.GetProperty("commits")[0].GetProperty("subject").GetString());
        Assert.All(billing.Events[job.JobId].Values, happened => Assert.Null(happened.Result));
        Assert.Equal(["accepted", "dispatched", "claimed", "succeeded"], await dispatcher.TimelineAsync(job.JobId));
        Assert.Contains("The database was migrated", dispatcher.Log, StringComparison.Ordinal);
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task Each_verdict_leads_to_its_answer_and_state()
    {
        await using var journey = await Journey.BeginAsync();
        journey.Policies.CopyShipped();
        var dispatcher = await journey.DispatcherAsync();
        var billing = await journey.ProducerAsync();
        var denied = AJob.On("job.exec.shell")
            .With(new JsonObject { ["command"] = new JsonArray("rm", "-rf", "/srv") })
            .WithLabel("env", "prod");
        var held = AJob.On("job.deploy.apply").With(new JsonObject { ["recipe"] = "web", ["version"] = "1.4.2" }).WithLabel("env", "prod");
        var limited = AJob.On("job.integrations.call").With(new JsonObject { ["url"] = "https://api.github.com/zen" });
        var allowed = ReadTheLog with { JobId = Guid.CreateVersion7() };
        var unknown = AJob.On("job.nobody.knows");

        await billing.PublishAsync(denied, held, limited, allowed, unknown);

        await Eventually.IsAsync(
            () =>
                new[] { denied, held, limited, allowed, unknown }.All(job => billing.Decision(job) is not null)
                && billing.EventsOf(denied).Count + billing.EventsOf(held).Count == 2,
            "every job is answered\n" + dispatcher.Log
        );
        Assert.Equal((JobState.Denied, Verdict.Deny), (billing.Decision(denied)!.State, billing.Decision(denied)!.Verdict));
        Assert.Equal(["deny-destructive-prod"], billing.Decision(denied)!.Rules);
        Assert.Equal(HttpStatusCode.NotFound, (await dispatcher.SendAsync(HttpMethod.Get, $"/api/jobs/{denied.JobId}")).Status);
        Assert.Equal(["denied"], await dispatcher.TimelineAsync(denied.JobId));
        Assert.Equal(
            (JobState.Denied, "unknown_topic"),
            (billing.Decision(unknown)!.State, billing.Decision(unknown)!.Reason.Split(':')[0])
        );
        Assert.Equal((JobState.Held, $"{held.JobId}-1"), (billing.Decision(held)!.State, billing.Decision(held)!.ApprovalId));
        Assert.Equal(["held"], await dispatcher.TimelineAsync(held.JobId));
        Assert.Equal(Verdict.AllowWithConstraints, billing.Decision(limited)!.Verdict);
        Assert.Equal(["api.github.com", "api.slack.com"], billing.Decision(limited)!.Constraints!.AllowedHosts!);
        Assert.Equal(15_000, billing.Decision(limited)!.Constraints!.TimeoutMs);
        Assert.Equal((JobState.Accepted, Verdict.Allow), (billing.Decision(allowed)!.State, billing.Decision(allowed)!.Verdict));

        // No worker serves pool integrations, since the real host must not be called: the job is cancelled while its work message waits.
        await journey.Records.PretendWorkerAsync("integrations", 1);
        await dispatcher.InStateAsync(limited.JobId, "dispatched");
        await dispatcher.CancelAsync(limited.JobId);
        await journey.RepoWorkerAsync(dispatcher);
        await dispatcher.InStateAsync(allowed.JobId, "succeeded");
        await journey.DrainAsync("dispatcher.work.integrations", 1);
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task Job_that_has_not_started_by_its_not_after_expires()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        var billing = await journey.ProducerAsync();
        var job = AJob.On("job.test.once") with { NotAfter = TimeProvider.System.GetUtcNow().AddSeconds(4).ToString("O") };
        await journey.Records.PretendWorkerAsync("test", 1);

        await billing.PublishAsync(job);

        await dispatcher.InStateAsync(job.JobId, "expired");
        Assert.Equal(0, await journey.Records.CountAsync("select count(*) from jobs where start_by > not_after"));
        await journey.CountingWorkerAsync(dispatcher);
        await Eventually.IsAsync(() => billing.EventsOf(job).Count == 1, "its final event is published");
        Assert.Equal(0, await journey.Records.EffectsAsync());
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task A_job_is_cancelled_before_its_claim_and_while_it_runs()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        var billing = await journey.ProducerAsync();
        var early = AJob.On("job.test.once");
        var late = AJob.On("job.test.once").With(new JsonObject { ["sleep_ms"] = 15_000 });

        await journey.Records.PretendWorkerAsync("test", 1);
        await billing.PublishAsync(early);
        await dispatcher.InStateAsync(early.JobId, "dispatched");
        Assert.Equal(HttpStatusCode.Accepted, (await dispatcher.CancelAsync(early.JobId)).Status);
        Assert.Equal("cancelled", await dispatcher.StateAsync(early.JobId));
        await journey.CountingWorkerAsync(dispatcher);
        await billing.PublishAsync(late);
        await Eventually.IsAsync(
            async () => await journey.Records.StartsAsync(late.JobId, Environment.ProcessId) == 1,
            () => "the run begins\n" + journey.Logs(),
            TimeSpan.FromSeconds(20)
        );
        Assert.Equal(HttpStatusCode.Accepted, (await dispatcher.CancelAsync(late.JobId)).Status);

        await dispatcher.InStateAsync(late.JobId, "cancelled", seconds: 5);
        Assert.Equal(["accepted", "dispatched", "claimed", "cancel_requested", "cancelled"], await dispatcher.TimelineAsync(late.JobId));
        Assert.Equal(["accepted", "dispatched", "cancelled"], await dispatcher.TimelineAsync(early.JobId));
        Assert.Equal(0, await journey.Records.EffectsAsync());
        await Eventually.IsAsync(
            () => billing.EventsOf(early).Count + billing.EventsOf(late).Count == 2,
            "both final events are published"
        );
        Assert.Equal(HttpStatusCode.Accepted, (await dispatcher.CancelAsync(late.JobId)).Status);
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task Repeated_job_gets_the_first_answer_and_other_content_is_a_conflict()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        await journey.CountingWorkerAsync(dispatcher);
        var billing = await journey.ProducerAsync();
        var shipping = await journey.ProducerAsync("shipping");
        var job = AJob.On("job.test.once");
        var denied = AJob.On("job.test.denied");
        await billing.PublishAsync(job, denied);
        await dispatcher.InStateAsync(job.JobId, "succeeded");
        await Eventually.IsAsync(() => billing.Decision(denied) is not null, "the denied one is answered");

        // The policy decides otherwise now. A repeated submission must still get the first answer.
        await journey.ChangePoliciesAsync("  - { id: closed, match: { topic: job.test.once }, decision: DENY, reason: closed }\n");
        await billing.PublishAsync(job, denied);
        await shipping.PublishAsync(job, denied);
        await billing.PublishAsync([(job.With(new JsonObject { ["x"] = 1 })).Parcel() with { Name = "other content" }]);
        await Eventually.IsAsync(
            () =>
                billing.Decisions(job).Count == 2
                && billing.Decisions(denied).Count == 2
                && billing.RefusalsOf("other content").Count == 1
                && shipping.Decisions(job).Count == 1
                && shipping.Decisions(denied).Count == 1,
            "each is answered again\n" + dispatcher.Log
        );

        Assert.Equivalent(billing.Decisions(job)[0], billing.Decisions(job)[1], strict: true);
        await Eventually.IsAsync(() => billing.Finals(job).Count == 2, "the end is answered again");
        Assert.Equal(["{\"attempt\":1}", "{\"attempt\":1}"], billing.Finals(job).Select(final => final.Result!.Value.GetRawText()));
        Assert.Empty(shipping.Finals(job));
        Assert.Equivalent(billing.Decisions(denied)[0], billing.Decisions(denied)[1], strict: true);
        Assert.Equal("conflict", billing.RefusalsOf("other content")[0].Code);
        Assert.All([shipping.Decisions(job)[0], shipping.Decisions(denied)[0]], decision => Assert.Equal(Verdict.Deny, decision.Verdict));
        Assert.DoesNotContain(shipping.Decisions(job)[0].JobId, new[] { job.JobId, denied.JobId, shipping.Decisions(denied)[0].JobId });
        var billingKey = await dispatcher.MakeKeyAsync("billing", "producer");
        var shippingKey = await dispatcher.MakeKeyAsync("shipping", "producer");
        Assert.Equal(HttpStatusCode.Accepted, (await dispatcher.SubmitAsync(job.Body(), billingKey)).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await dispatcher.SubmitAsync(denied.Body(), billingKey)).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await dispatcher.SubmitAsync(job.Body(), shippingKey)).Status);
        Assert.Equal(
            HttpStatusCode.Conflict,
            (await dispatcher.SubmitAsync(job.With(new JsonObject { ["x"] = 1 }).Body(), billingKey)).Status
        );
        await Eventually.IsAsync(() => billing.EventsOf(job).Contains("refused"), "the conflict has an event");
        Assert.Empty(shipping.EventsOf(job));
        Assert.Equal(1, await journey.Records.EndedAsync());
        await journey.EndsWellAsync();
    }
}
