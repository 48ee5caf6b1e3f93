using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>Many jobs, while RabbitMQ and PostgreSQL crash. <c>DISPATCHER_TEST_JOBS</c> makes them more.</summary>
[Collection(AloneCollection.Name)]
public sealed class CrashJourneys
{
    [Fact]
    public async Task No_job_is_lost_when_RabbitMQ_and_PostgreSQL_crash()
    {
        var count = Journey.Jobs(600) is var jobsWanted && jobsWanted > 5_000 ? 5_000 : jobsWanted;
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        await journey.CountingWorkerAsync(dispatcher);
        var billing = await journey.ProducerAsync();

        // The server declares its own queues and bindings again, but not those of the producer.
        await Servers.SyncRabbitMqAsync();
        var jobs = Enumerable.Range(0, count).Select(_ => AJob.On("job.test.once")).ToList();
        var watch = System.Diagnostics.Stopwatch.StartNew();

        var publishing = billing.PublishAsync(jobs);
        await Eventually.IsAsync(
            async () => await journey.Records.EndedAsync() >= count / 5,
            () => "a fifth of the jobs end\n" + journey.Logs(),
            TimeSpan.FromSeconds(60)
        );
        await Servers.RestartRabbitMqAsync();
        await Eventually.IsAsync(
            async () => await journey.Records.EndedAsync() >= count / 2,
            () => "half of the jobs end\n" + journey.Logs(),
            TimeSpan.FromSeconds(120)
        );
        await Servers.RestartPostgresAsync();
        await publishing;

        await journey.SettledAsync(count, seconds: 90);
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{count} jobs over two crashes: all ended after {watch.Elapsed.TotalSeconds:F1} s"
        );
        Assert.Equal(count, await journey.Records.CountAsync("succeeded", "job.test.once"));
        var left = "";
        await Eventually.IsAsync(
            async () =>
            {
                var missing = jobs.Count(job => !billing.EventsOf(job).Contains("succeeded"));
                left =
                    $"{missing} events are missing, {await journey.Records.OutboxAsync()} messages are in the outbox\n"
                    + await Servers.TopologyAsync(journey.Name);
                return missing == 0;
            },
            () => $"the producer receives the end of every job: {left}\n{journey.Logs()}",
            TimeSpan.FromSeconds(60)
        );
        Assert.False(dispatcher.HasEnded, dispatcher.Log);
        await dispatcher.ReadyAsync();
        await journey.EndsWellAsync();
    }
}
