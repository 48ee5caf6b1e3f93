using Dispatcher.Contracts;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>The database is restored to an earlier moment than the broker and the workers.</summary>
public sealed class RestoreJourneys
{
    private const string Topic = "job.test.stream";

    /// <summary>The steps of ops/upgrade.md, Restore.</summary>
    [Fact]
    public async Task Restored_earlier_copy_runs_nothing_while_frozen_and_reports_what_it_lost()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        var billing = await journey.ProducerAsync();
        var (open, running, queued) = (AJob.On(Topic), AJob.On(Topic), AJob.On(Topic));
        await billing.PublishAsync(open);
        await dispatcher.InStateAsync(open.JobId, "accepted");
        Assert.Equal(0, await dispatcher.StopAsync());
        await PostgresTemplate.BackUpAsync(journey.Name, journey.Name + "_copy");

        // After the copy: one job ends, one runs, the work message of one is in the queue, and a submission is not read yet.
        dispatcher = await journey.DispatcherAsync();
        var worker = await WireWorker.BeginAsync(journey, dispatcher, capacity: 3);
        var (firstWork, firstClaim) = await worker.ClaimAsync();
        await worker.SendAsync(WireWorker.Succeeded(firstWork, firstClaim));
        await dispatcher.InStateAsync(open.JobId, "succeeded");
        await billing.PublishAsync(running);
        var (work, claim) = await worker.ClaimAsync();
        await billing.PublishAsync(queued);
        await Eventually.IsAsync(
            async () => (await journey.QueueAsync(Queues.Work("test"))).Messages == 1,
            () => "the work message comes\n" + dispatcher.Log,
            TimeSpan.FromSeconds(20)
        );
        Assert.Equal(0, await dispatcher.StopAsync());
        var unread = AJob.On(Topic);
        await billing.PublishAsync(unread);

        journey.Database.Clear();
        await PostgresTemplate.RestoreAsync(journey.Name, journey.Name + "_copy");
        dispatcher = await journey.DispatcherAsync();
        var environment = new Dictionary<string, string>
        {
            ["DISPATCHER_URL"] = dispatcher.Address,
            ["DISPATCHER_API_KEY"] = DispatcherServer.AdminKey,
        };
        var (frozen, output) = await CommandLineRun.OfAsync(environment, "freeze", "--all", "--reason", "restored", "--for", "2h");
        Assert.True(frozen == 0, output);
        await worker.SendAsync(WireWorker.Succeeded(work, claim));
        await Eventually.IsAsync(
            () => Task.FromResult(dispatcher.Log.Contains($"The first is of job \"{running.JobId}\"", StringComparison.Ordinal)),
            () => "the lost run is reported\n" + dispatcher.Log,
            TimeSpan.FromSeconds(10)
        );
        worker = await WireWorker.BeginAsync(journey, dispatcher);
        Assert.NotEqual(ClaimStatus.Granted, (await worker.ClaimAsync()).Claim.Status);
        await dispatcher.InStateAsync(unread.JobId, "accepted");

        // The worker has a free slot. A sweep after the freeze checks the jobs that are due, and dispatches none.
        await journey.Records.AcceptedAreDueAsync();
        await Eventually.IsAsync(
            async () => await journey.Records.CountAsync("select count(*) from jobs where due_at = 0") == 0,
            () => "the sweep checks the jobs\n" + dispatcher.Log,
            TimeSpan.FromSeconds(20)
        );
        Assert.Equal("accepted", await dispatcher.StateAsync(open.JobId));
        Assert.Equal("accepted", await dispatcher.StateAsync(unread.JobId));
        Assert.Equal("", await dispatcher.StateAsync(running.JobId));
        var (code, findings) = await CommandLineRun.VerifyAuditAsync(journey);
        Assert.True(code == 1, findings);

        // The operator ends the job that ran since the copy; the producer submits the others again under their ids.
        await dispatcher.CancelAsync(open.JobId);
        await billing.PublishAsync(queued);
        await dispatcher.InStateAsync(queued.JobId, "accepted");
        await journey.Records.SilentAsync(0x7fffffff);
        await journey.CountingWorkerAsync(dispatcher);
        var (unfrozen, answer) = await CommandLineRun.OfAsync(environment, "unfreeze", "--all", "--reason", "checked");
        Assert.True(unfrozen == 0, answer);
        await dispatcher.InStateAsync(queued.JobId, "succeeded");
        await dispatcher.InStateAsync(unread.JobId, "succeeded");
        Assert.Equal("cancelled", await dispatcher.StateAsync(open.JobId));
        Assert.Equal(2, await journey.Records.EffectsAsync());

        // A new file of checkpoints begins; the old one stays as the proof of what was lost.
        Assert.Equal(0, await dispatcher.StopAsync());
        File.Move(Path.Combine(journey.Audit, "checkpoints.ndjson"), Path.Combine(journey.Folder, "checkpoints.before.ndjson"));
        dispatcher = await journey.DispatcherAsync();
        Assert.DoesNotContain("the history in the database was cut", dispatcher.Log, StringComparison.Ordinal);
        await journey.EndsWellAsync();
        (code, findings) = await CommandLineRun.VerifyAuditAsync(journey);
        Assert.True(code == 0, findings);
    }
}
