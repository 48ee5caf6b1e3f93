using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dispatcher.Contracts;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>People approve and reject jobs. Messages, votes on other terms and lost rights do not.</summary>
public sealed class ApprovalJourneys
{
    /// <summary>A rule that changes what approvers decide on.</summary>
    private const string Slower = """
          - id: slower
            match: { topic: job.test.handover }
            decision: REQUIRE_APPROVAL
            reason: operations decide
            constraints: { timeout_ms: 9000 }

        """;

    private static readonly string Other = new('f', 64);

    [Fact]
    public async Task A_job_runs_once_when_it_is_approved_and_never_when_it_is_rejected()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        await journey.CountingWorkerAsync(dispatcher);
        var ana = await dispatcher.MakeKeyAsync("ana", "approver");
        var billing = await journey.ProducerAsync();
        var (wanted, unwanted) = (AJob.On("job.test.held"), AJob.On("job.test.held"));
        await billing.PublishAsync(wanted, unwanted);
        await Eventually.IsAsync(
            () => billing.Decision(wanted) is not null && billing.Decision(unwanted) is not null,
            "both are held\n" + dispatcher.Log
        );

        Assert.Equal(HttpStatusCode.OK, (await dispatcher.VoteAsync(wanted.JobId, "approve", ana)).Status);
        Assert.Equal(HttpStatusCode.OK, (await dispatcher.VoteAsync(unwanted.JobId, "reject", ana)).Status);

        await dispatcher.InStateAsync(wanted.JobId, "succeeded");
        await Eventually.IsAsync(
            () => billing.Final(unwanted)?.State == JobState.Rejected && billing.EventsOf(wanted).Count == 3,
            "the final events are published"
        );
        Assert.Equal(["approved", "held", "succeeded"], billing.EventsOf(wanted).Order());
        Assert.Equal(["held", "rejected"], billing.EventsOf(unwanted).Order());
        Assert.Equal(["held", "approved", "dispatched", "claimed", "succeeded"], await dispatcher.TimelineAsync(wanted.JobId));
        Assert.Equal("consumed", (await dispatcher.ApprovalAsync(wanted.JobId)).GetProperty("state").GetString());
        Assert.Equal(1, await journey.Records.EffectsAsync());
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task No_content_of_a_message_approves_a_job()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        await journey.CountingWorkerAsync(dispatcher);
        var billing = await journey.ProducerAsync();
        var inPayload = AJob.On("job.test.held").With(new JsonObject { ["approval_granted"] = true });
        var inHeader = AJob.On("job.test.held");
        var inBody = AJob.On("job.test.held");
        var inLabel = AJob.On("job.test.held").WithLabel("approval_granted", "true");
        await billing.PublishAsync([
            inPayload.Parcel(),
            inHeader.Parcel() with
            {
                Headers = new Dictionary<string, object?> { ["approval_granted"] = "true", ["dispatcher-permit"] = "x" },
            },
            inBody.Parcel() with
            {
                Body = With(inBody.Body(), "approval_granted", true),
            },
            inLabel.Parcel(),
        ]);
        await Eventually.IsAsync(
            () =>
                billing.Decision(inPayload) is not null
                && billing.Decision(inHeader) is not null
                && billing.RefusalsOf(inBody.JobId.ToString()).Count + billing.RefusalsOf(inLabel.JobId.ToString()).Count == 2,
            "each is answered\n" + dispatcher.Log
        );

        // Published without the server: an event "approved", and the signal that follows an approval.
        var forged = new JobEvent
        {
            EventId = Guid.CreateVersion7(),
            Event = "approved",
            JobId = inHeader.JobId,
            Topic = inHeader.Topic,
            Principal = "billing",
            State = JobState.Approved,
            At = DateTimeOffset.UnixEpoch,
            PolicyHash = Other,
            Reason = "go",
        };
        await journey.ForgeAsync(
            Exchanges.Events,
            "approved.billing.job.test.held",
            JsonSerializer.SerializeToUtf8Bytes(forged, WireJson.Default.JobEvent)
        );
        await journey.ForgeAsync(Exchanges.Events, "approved.nonsense", [1, 2, 3]);
        await journey.ForgeAsync("", "dispatcher.server.dispatch", Journey.SignalTest.ToArray());
        await Eventually.IsAsync(
            async () => (await dispatcher.TimelineAsync(inHeader.JobId)).Contains("event_refused"),
            () => "the forged event is on the timeline\n" + dispatcher.Log,
            TimeSpan.FromSeconds(20)
        );

        foreach (var refused in new[] { inBody, inLabel })
        {
            var letter = billing.RefusalsOf(refused.JobId.ToString())[0].DeadLetterId!.Value;
            Assert.Equal(["refused"], await dispatcher.TimelineAsync(letter));
            Assert.Equal("", await dispatcher.StateAsync(refused.JobId));
        }

        Assert.Equal(["held", "event_refused"], await dispatcher.TimelineAsync(inHeader.JobId));
        Assert.Equal(["held"], await dispatcher.TimelineAsync(inPayload.JobId));
        Assert.Equal(("held", "held"), (await dispatcher.StateAsync(inHeader.JobId), await dispatcher.StateAsync(inPayload.JobId)));
        Assert.Equal(0, await journey.Records.EffectsAsync());
        await journey.EndsWellAsync(expectedDeadLetters: 2);
    }

    [Fact]
    public async Task Invalid_vote_is_refused_and_recorded_on_the_timeline()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        var ana = await dispatcher.MakeKeyAsync("ana", "approver");
        var own = await dispatcher.MakeKeyAsync("billing", "bea", ["producer", "approver"], []);
        var same = await dispatcher.MakeKeyAsync("bea-laptop", "bea", ["approver"], []);
        var producer = await dispatcher.MakeKeyAsync("shipping", "producer");
        var billing = await journey.ProducerAsync();
        var job = AJob.On("job.test.held");
        await billing.PublishAsync(job);
        await dispatcher.InStateAsync(job.JobId, "held");

        Assert.Equal(HttpStatusCode.Forbidden, (await dispatcher.VoteAsync(job.JobId, "approve", own)).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await dispatcher.VoteAsync(job.JobId, "approve", same)).Status);
        Assert.Equal(
            HttpStatusCode.Forbidden,
            (await dispatcher.SendAsync(HttpMethod.Post, $"/api/approvals/{job.JobId}-1/approve", "{}"u8.ToArray(), producer)).Status
        );
        Assert.Equal(HttpStatusCode.Conflict, (await dispatcher.VoteAsync(job.JobId, "approve", ana, jobHash: Other)).Status);
        Assert.Equal(HttpStatusCode.OK, (await dispatcher.VoteAsync(job.JobId, "reject", ana)).Status);
        Assert.Equal(HttpStatusCode.Conflict, (await dispatcher.VoteAsync(job.JobId, "approve", ana)).Status);

        Assert.Equal(
            ["held", "vote_refused", "vote_refused", "vote_refused", "rejected", "vote_refused"],
            await dispatcher.TimelineAsync(job.JobId)
        );
        Assert.Equal("rejected", await dispatcher.StateAsync(job.JobId));
        await journey.EndsWellAsync();
    }

    [Theory]
    [InlineData("rule")]
    [InlineData("group")]
    public async Task Approval_is_invalidated_when_its_rule_changes_or_its_approver_loses_the_group(string what)
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        await journey.Records.PretendWorkerAsync("test", 1);
        var ana = await dispatcher.MakeKeyAsync("ana", "ana", ["approver"], ["sre"]);
        var bo = await dispatcher.MakeKeyAsync("bo", "bo", ["approver"], ["sre"]);
        var job = AJob.On("job.test.handover");
        await (await journey.ProducerAsync()).PublishAsync(job);
        await dispatcher.InStateAsync(job.JobId, "held");

        // The basis of the approval changes after the approval and before the dispatch.
        await using (await journey.HoldDispatchAsync())
        {
            await dispatcher.VoteAsync(job.JobId, "approve", ana);
            await dispatcher.InStateAsync(job.JobId, "approved");
            await (what == "group" ? dispatcher.RevokeAsync("ana") : journey.ChangePoliciesAsync(Slower));
        }

        await dispatcher.InStateAsync(job.JobId, "held");
        Assert.Equal($"{job.JobId}-2", (await dispatcher.ApprovalAsync(job.JobId)).GetProperty("approval_id").GetString());
        Assert.Equal(HttpStatusCode.OK, (await dispatcher.VoteAsync(job.JobId, "approve", bo)).Status);
        await journey.CountingWorkerAsync(dispatcher);
        await dispatcher.InStateAsync(job.JobId, "succeeded");
        Assert.Equal(["held", "approved", "held", "approved", "dispatched"], (await dispatcher.TimelineAsync(job.JobId)).Take(5));
        Assert.Equal(1, await journey.Records.CountAsync("select count(*) from approvals where state = 'Invalidated'"));
        await journey.EndsWellAsync();
    }

    /// <summary>Approvers must see the new terms at once, also while no worker serves the pool.</summary>
    [Fact]
    public async Task Next_round_opens_without_a_worker_when_the_rules_change()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        var ana = await dispatcher.MakeKeyAsync("ana", "ana", ["approver"], ["sre"]);
        var (voted, waiting) = (AJob.On("job.test.handover"), AJob.On("job.test.handover"));
        await (await journey.ProducerAsync()).PublishAsync(voted, waiting);
        await dispatcher.InStateAsync(voted.JobId, "held");
        await dispatcher.InStateAsync(waiting.JobId, "held");
        Assert.Equal(HttpStatusCode.OK, (await dispatcher.VoteAsync(voted.JobId, "approve", ana)).Status);
        await dispatcher.InStateAsync(voted.JobId, "approved");

        await journey.ChangePoliciesAsync(Slower);

        await dispatcher.InStateAsync(voted.JobId, "held");
        Assert.Equal($"{voted.JobId}-2", (await dispatcher.ApprovalAsync(voted.JobId)).GetProperty("approval_id").GetString());
        Assert.Equal(HttpStatusCode.Conflict, (await dispatcher.VoteAsync(waiting.JobId, "approve", ana)).Status);
        Assert.Equal("held", await dispatcher.StateAsync(waiting.JobId));
        Assert.Equal($"{waiting.JobId}-2", (await dispatcher.ApprovalAsync(waiting.JobId)).GetProperty("approval_id").GetString());
        foreach (var job in new[] { voted, waiting })
        {
            Assert.Equal(HttpStatusCode.OK, (await dispatcher.VoteAsync(job.JobId, "approve", ana)).Status);
        }

        await journey.CountingWorkerAsync(dispatcher);
        await dispatcher.InStateAsync(voted.JobId, "succeeded");
        await dispatcher.InStateAsync(waiting.JobId, "succeeded");
        Assert.Equal(2, await journey.Records.CountAsync("select count(*) from approvals where state = 'Invalidated'"));
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task Approval_is_usable_again_when_its_attempt_was_not_claimed()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        var ana = await dispatcher.MakeKeyAsync("ana", "ana", ["approver"], ["sre"]);
        var job = AJob.On("job.test.handover");
        await (await journey.ProducerAsync()).PublishAsync(job);
        await dispatcher.InStateAsync(job.JobId, "held");

        await journey.Records.PretendWorkerAsync("test", 1);
        await dispatcher.VoteAsync(job.JobId, "approve", ana);
        await Eventually.IsAsync(
            async () => (await dispatcher.TimelineAsync(job.JobId)).Contains("unclaimed"),
            () => "the attempt is not claimed\n" + dispatcher.Log,
            TimeSpan.FromSeconds(30)
        );
        await journey.CountingWorkerAsync(dispatcher);

        await dispatcher.InStateAsync(job.JobId, "succeeded");
        Assert.Equal(1, await journey.Records.CountAsync("select count(*) from approvals where state = 'Consumed'"));
        Assert.Equal(1, await journey.Records.CountAsync("select count(*) from approvals"));
        Assert.Equal(1, await journey.Records.EffectsAsync());
        await journey.EndsWellAsync();
    }

    private static byte[] With(byte[] body, string name, JsonNode value)
    {
        var job = JsonNode.Parse(body)!.AsObject();
        job[name] = value;
        return JsonSerializer.SerializeToUtf8Bytes(job);
    }
}
