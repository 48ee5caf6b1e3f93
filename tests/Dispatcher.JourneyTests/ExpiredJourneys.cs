using Dispatcher.Contracts;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>Submissions that wait on the broker for longer than they may, and others that the broker sets aside.</summary>
public sealed class ExpiredJourneys
{
    private const string Topic = "job.test.once";
    private const string Intake = "dispatcher.server.intake";

    [Fact]
    public async Task Submission_that_expired_before_it_was_read_is_answered_and_never_runs()
    {
        await using var journey = await Journey.BeginAsync();
        await journey.DeclareQueuesAsync();
        var billing = await journey.ProducerAsync();
        var (late, held, denied) = (AJob.On(Topic), AJob.On("job.test.held"), AJob.On("job.test.denied"));
        var malformed = new Parcel(Topic, "{"u8.ToArray(), "malformed") { Expiration = "1000" };
        await billing.PublishAsync([.. new[] { late, held, denied }.Select(job => job.Parcel() with { Expiration = "1000" }), malformed]);
        await ParkedAsync(journey, 4);

        var dispatcher = await journey.DispatcherAsync();
        await journey.CountingWorkerAsync(dispatcher);
        await dispatcher.InStateAsync(late.JobId, "expired");
        await dispatcher.InStateAsync(held.JobId, "expired");
        await Eventually.IsAsync(
            () => billing.Decision(denied) is not null && billing.RefusalsOf("malformed").Count == 1,
            "all are answered\n" + dispatcher.Log
        );

        Assert.Equal((JobState.Expired, Verdict.Allow), (billing.Decision(late)!.State, billing.Decision(late)!.Verdict));
        Assert.Equal(JobState.Expired, billing.Decision(held)!.State);
        Assert.Equal(JobState.Denied, billing.Decision(denied)!.State);
        Assert.Equal(["accepted", "expired"], await dispatcher.TimelineAsync(late.JobId));
        await Eventually.IsAsync(
            () => billing.EventsOf(late) is ["expired"] && billing.EventsOf(held) is ["expired"],
            "the events come\n" + dispatcher.Log
        );
        Assert.Contains(
            "set a message of dispatcher.server.intake aside, reason expired: it is not run",
            dispatcher.Log,
            StringComparison.Ordinal
        );

        // Handed in again, it has its first answer and does not run.
        await billing.PublishAsync(late);
        await Eventually.IsAsync(() => billing.Decisions(late).Count == 2, "it is answered again\n" + dispatcher.Log);
        Assert.Equal(JobState.Expired, billing.Decisions(late)[1].State);
        Assert.Equal(0, await journey.Records.EffectsAsync());
        var (code, output) = await CommandLineRun.VerifyAuditAsync(journey);
        Assert.True(code == 0, output);
        await journey.EndsWellAsync(expectedDeadLetters: 1);
    }

    [Fact]
    public async Task Submission_expires_by_the_limit_that_an_operator_sets_on_the_queue()
    {
        await using var journey = await Journey.BeginAsync();
        await journey.DeclareQueuesAsync();
        await Servers.SetPolicyAsync(
            journey.Name,
            "short",
            $"^{Intake.Replace(".", "\\.", StringComparison.Ordinal)}$",
            new Dictionary<string, object> { ["message-ttl"] = 500 }
        );
        var billing = await journey.ProducerAsync();
        var job = AJob.On(Topic);
        await billing.PublishAsync(job);
        await ParkedAsync(journey, 1);

        var dispatcher = await journey.DispatcherAsync();

        await dispatcher.InStateAsync(job.JobId, "expired");
        await Eventually.IsAsync(() => billing.Decision(job) is not null, "it is answered");
        Assert.Equal(JobState.Expired, billing.Decision(job)!.State);
        await journey.EndsWellAsync();
    }

    /// <summary>A client writes the header of an expired message itself. The broker puts its own reason before it.</summary>
    [Fact]
    public async Task Forged_header_expires_no_submission()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        await journey.CountingWorkerAsync(dispatcher);
        var billing = await journey.ProducerAsync();
        var (straight, parked) = (AJob.On(Topic), AJob.On(Topic));
        var forged = BrokerProbe.SetAside(Intake, Topic, "expired");

        await billing.PublishAsync([straight.Parcel() with { Headers = forged }]);
        await dispatcher.InStateAsync(straight.JobId, "succeeded");
        await using (await journey.ReturnAsync(Intake))
        {
            await billing.PublishAsync([parked.Parcel() with { Headers = forged }]);
            await dispatcher.InStateAsync(parked.JobId, "succeeded");
        }

        Assert.Contains("set a message of dispatcher.server.intake aside, reason delivery_limit", dispatcher.Log, StringComparison.Ordinal);
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task Rejected_submission_is_kept_and_not_run()
    {
        await using var journey = await Journey.BeginAsync();
        await journey.DeclareQueuesAsync();
        var billing = await journey.ProducerAsync();
        var job = AJob.On(Topic);
        await billing.PublishAsync(job);
        await journey.ChangeBrokerAsync(async channel =>
        {
            var message = await channel.BasicGetAsync(Intake, autoAck: false, TestContext.Current.CancellationToken);
            await channel.BasicRejectAsync(message!.DeliveryTag, requeue: false, TestContext.Current.CancellationToken);
        });

        var dispatcher = await journey.DispatcherAsync();

        await Eventually.IsAsync(() => billing.RefusalsOf(job.JobId.ToString()).Count == 1, "it is refused\n" + dispatcher.Log);
        Assert.Equal("rejected", billing.RefusalsOf(job.JobId.ToString())[0].Errors[0].Code);
        Assert.Equal("", await dispatcher.StateAsync(job.JobId));
        await journey.EndsWellAsync(expectedDeadLetters: 1);
    }

    private static Task ParkedAsync(Journey journey, uint count) =>
        Eventually.IsAsync(
            async () => (await journey.QueueAsync(Intake + ".parked")).Messages == count,
            () => $"the broker sets {count} aside",
            TimeSpan.FromSeconds(20)
        );
}
