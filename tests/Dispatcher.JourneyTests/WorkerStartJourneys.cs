using System.Text.Json;
using System.Text.Json.Nodes;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>Workers on machines that are not set up as they should be.</summary>
public sealed class WorkerStartJourneys
{
    [Theory]
    [InlineData(600)]
    [InlineData(-600)]
    public async Task Worker_whose_clock_is_off_runs_its_jobs_and_the_status_names_it(int seconds)
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        var worker = await journey.CountingWorkerProcessAsync(dispatcher, secondsAhead: seconds);
        List<AJob> jobs =
        [
            AJob.On("job.test.once"),
            AJob.On("job.test.careful"),
            AJob.On("job.test.once").With(new JsonObject { ["sleep_ms"] = 6_000 }),
        ];

        await (await journey.ProducerAsync()).PublishAsync(jobs);

        foreach (var job in jobs)
        {
            await dispatcher.InStateAsync(job.JobId, "succeeded");
            Assert.DoesNotContain("unclaimed", await dispatcher.TimelineAsync(job.JobId));
        }

        var known = Assert.Single(
            (await dispatcher.SendAsync(HttpMethod.Get, "/api/workers")).Body.GetProperty("workers").EnumerateArray()
        );
        Assert.InRange(known.GetProperty("clock_ahead_ms").GetInt64(), (seconds - 10) * 1_000, (seconds + 10) * 1_000);
        Assert.Equal((0, JsonValueKind.Null), (known.GetProperty("dropped").GetInt32(), known.GetProperty("dropping").ValueKind));
        var warnings = (await dispatcher.SendAsync(HttpMethod.Get, "/api/status"))
            .Body.GetProperty("warnings")
            .EnumerateArray()
            .Select(text => text.GetString()!);
        Assert.Matches(
            $"^the clock of worker .* of pool test is (599|600|601)\\.\\d s {(seconds > 0 ? "ahead" : "behind")}",
            Assert.Single(warnings, text => text.Contains("clock", StringComparison.Ordinal))
        );
        Assert.Single(worker.Log.Split('\n'), line => line.Contains("The clock of this machine is", StringComparison.Ordinal));
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task A_worker_whose_key_is_not_that_of_its_broker_user_ends_before_it_runs_a_job()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        var job = AJob.On("job.test.once");
        await (await journey.ProducerAsync()).PublishAsync(job);

        await using var worker = ChildProcess.OfOutput(
            "Dispatcher.JourneyWorker.dll",
            new Dictionary<string, string>(),
            "test",
            "4",
            Servers.BrokerAs("worker-test", journey.Name).AbsoluteUri,
            dispatcher.Address,
            await dispatcher.MakeKeyAsync("other", "worker:test"),
            journey.Postgres,
            "0"
        );

        Assert.NotEqual(0, await worker.EndAsync(TimeSpan.FromSeconds(30)));
        Assert.Contains("The key's subject is other, and the broker user is worker-test", worker.Log, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", worker.Log, StringComparison.Ordinal);
        Assert.DoesNotContain("claimed", await dispatcher.TimelineAsync(job.JobId));
    }

    [Theory]
    [InlineData("^$", "^dispatcher\\.work\\.test$", "may not write to exchange dispatcher.outcomes")]
    [InlineData("^dispatcher\\.outcomes$", "^$", "may not read queue dispatcher.work.test")]
    public async Task A_worker_whose_broker_user_lacks_a_right_ends_before_it_runs_a_job(string write, string read, string what)
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        await Servers.MakeUserAsync(journey.Name, "worker-test", "^$", write, read);
        var job = AJob.On("job.test.once");
        await (await journey.ProducerAsync()).PublishAsync(job);

        var worker = await journey.StartWorkerProcessAsync(dispatcher);

        Assert.NotEqual(0, await worker.EndAsync(TimeSpan.FromSeconds(30)));
        Assert.Single(worker.Log.Split('\n'), line => line.Contains($"Broker user worker-test {what}", StringComparison.Ordinal));
        Assert.DoesNotContain("   at ", worker.Log, StringComparison.Ordinal);
        Assert.DoesNotContain("claimed", await dispatcher.TimelineAsync(job.JobId));
    }
}
