using System.Net;
using Dispatcher.Contracts;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>Which bundle decides, and what a broken one does.</summary>
public sealed class PolicyJourneys
{
    private const string Closed = "  - { id: closed, match: { topic: job.test.once }, decision: DENY, reason: closed meanwhile }\n";

    [Fact]
    public async Task Bundle_activated_between_intake_and_dispatch_decides_in_every_process()
    {
        const int Count = 60;
        await using var journey = await Journey.BeginAsync();
        var (first, second) = await journey.TwoDispatcherProcessesAsync();
        await journey.CountingWorkerAsync(first);
        var billing = await journey.ProducerAsync();
        var jobs = Enumerable.Range(0, Count).Select(_ => AJob.On("job.test.once")).ToList();
        await using (await journey.HoldDispatchAsync())
        {
            foreach (var job in jobs)
            {
                // One by one, so that there are several dispatch signals and each process gets some.
                await billing.PublishAsync(job);
            }

            await Eventually.IsAsync(() => jobs.All(job => billing.Decision(job) is not null), "all are accepted\n" + journey.Logs());

            second.Freeze();
            await journey.ChangePoliciesAsync(Closed);
            first.Freeze();
        }

        // Both are frozen and get dispatch signals now. Only the first process knows the new bundle.
        await using (await journey.LockAsync("bundles"))
        {
            await using (await journey.LockJobsAsync())
            {
                second.Unfreeze();
                await Eventually.IsAsync(
                    async () => await journey.Records.RowLockWaitsAsync() > 0,
                    () => "the second process has decided by the old bundle and commits\n" + journey.Logs(),
                    TimeSpan.FromSeconds(30)
                );
            }

            // Now the comparison with the bundle in force must refuse the commit.
        }

        first.Unfreeze();
        await Eventually.IsAsync(() => jobs.All(job => billing.EventsOf(job).Count == 1), "every job ends\n" + journey.Logs());
        Assert.All(
            jobs,
            job => Assert.Equal((JobState.Accepted, Verdict.Allow), (billing.Decision(job)!.State, billing.Decision(job)!.Verdict))
        );
        Assert.All(jobs, job => Assert.Equal(["denied"], billing.EventsOf(job)));
        var inForce = await journey.Records.ActiveBundleAsync();
        Assert.All(jobs, job => Assert.Equal(inForce, billing.Final(job)!.PolicyHash));
        Assert.Equal(Count, await journey.Records.CountAsync("denied", "job.test.once"));
        Assert.Equal(0, await journey.Records.EffectsAsync());
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task Every_job_is_denied_without_a_bundle_and_a_folder_that_breaks_later_changes_no_decision()
    {
        await using var journey = await Journey.BeginAsync();
        journey.Policies.Replace("topics.yaml", "version: v1\ntopics: [\n");
        var dispatcher = journey.StartDispatcher();
        await Eventually.IsAsync(
            async () => await dispatcher.ReadinessAsync() is not null,
            () => "it answers\n" + dispatcher.Log,
            TimeSpan.FromSeconds(30)
        );
        var billing = await journey.ProducerAsync();
        var job = AJob.On("job.test.once");

        await billing.PublishAsync(job);

        await Eventually.IsAsync(() => billing.Decision(job) is not null, "it is answered\n" + dispatcher.Log);
        Assert.Equal((JobState.Denied, "no_bundle"), (billing.Decision(job)!.State, billing.Decision(job)!.Reason));
        var (status, body) = (await dispatcher.ReadinessAsync())!.Value;
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.NotEqual("ok", body.GetProperty("checks").GetProperty("bundle").GetString());
        Assert.Equal(HttpStatusCode.Forbidden, (await dispatcher.SubmitAsync(AJob.On("job.test.once").Body())).Status);
        journey.Policies.Write();
        await dispatcher.ReadyAsync();
        await journey.CountingWorkerAsync(dispatcher);

        // The cause has passed: the same job is asked about again, and not answered with what was said then.
        await billing.PublishAsync(job);
        await dispatcher.InStateAsync(job.JobId, "succeeded");
        Assert.Equal([JobState.Denied, JobState.Accepted], billing.Decisions(job).Select(decision => decision.State));
        Assert.Equal(["denied", "accepted", "dispatched", "claimed", "succeeded"], await dispatcher.TimelineAsync(job.JobId));

        // From now on that is the answer.
        await billing.PublishAsync(job);
        await Eventually.IsAsync(() => billing.Decisions(job).Count == 3, "it is answered again\n" + dispatcher.Log);
        Assert.Equal([JobState.Denied, JobState.Accepted, JobState.Accepted], billing.Decisions(job).Select(decision => decision.State));

        // A folder that breaks later changes nothing.
        var before = await journey.Records.ActiveBundleAsync();
        journey.Policies.Replace("topics.yaml", "version: v1\ntopics: [\n");
        await Eventually.IsAsync(
            async () =>
                (await dispatcher.ReadinessAsync())!.Value.Body.GetProperty("checks").GetProperty("policy_folder").GetString() != "ok",
            () => "the folder is complained of",
            TimeSpan.FromSeconds(20)
        );
        var later = AJob.On("job.test.once");
        await billing.PublishAsync(later);
        await dispatcher.InStateAsync(later.JobId, "succeeded");
        Assert.Equal(HttpStatusCode.OK, (await dispatcher.ReadinessAsync())!.Value.Status);
        Assert.Equal(before, await journey.Records.ActiveBundleAsync());
        Assert.Equal(0, await journey.Records.DeadLettersAsync());
    }

    [Fact]
    public async Task Server_that_starts_with_an_earlier_folder_does_not_roll_the_policy_back()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherProcessAsync();
        var first = await journey.Records.ActiveBundleAsync();
        await journey.ChangePoliciesAsync(Closed);
        await Eventually.IsAsync(
            async () => await journey.Records.ActiveBundleAsync() != first,
            () => "the changed folder is in force\n" + dispatcher.Log,
            TimeSpan.FromSeconds(20)
        );
        var second = await journey.Records.ActiveBundleAsync();
        await dispatcher.KillAsync();

        journey.Policies.Write();
        var leftBehind = await journey.DispatcherAsync();

        await Eventually.IsAsync(
            () => leftBehind.Log.Contains("was in force before", StringComparison.Ordinal),
            "it says that its folder is behind"
        );
        Assert.Equal(second, await journey.Records.ActiveBundleAsync());
    }

    [Fact]
    public async Task Server_refuses_to_start_and_names_a_queue_with_other_arguments()
    {
        await using var journey = await Journey.BeginAsync();
        await using (var operatorConnection = await journey.ConnectAsync("dispatcher"))
        {
            var channel = await operatorConnection.CreateChannelAsync(cancellationToken: TestContext.Current.CancellationToken);
            await channel.QueueDeclareAsync(
                "dispatcher.server.intake",
                durable: true,
                exclusive: false,
                autoDelete: false,
                cancellationToken: TestContext.Current.CancellationToken
            );
        }

        var dispatcher = journey.StartDispatcher();

        // The rest of the time is the start of a process on a busy machine.
        Assert.Equal(2, await dispatcher.EndAsync(TimeSpan.FromSeconds(15)));
        Assert.Contains("dispatcher.server.intake", dispatcher.Log, StringComparison.Ordinal);
        Assert.Contains("other arguments", dispatcher.Log, StringComparison.Ordinal);
    }
}
