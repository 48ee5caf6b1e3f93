using System.Text.Json.Nodes;
using Dispatcher.Contracts;
using Dispatcher.JourneyTests.Staging;
using RabbitMQ.Client;

namespace Dispatcher.JourneyTests;

/// <summary>Many jobs, while processes die. <c>DISPATCHER_TEST_JOBS</c> makes them more.</summary>
public sealed class MassJourneys
{
    [Fact]
    public async Task A_client_accounts_for_many_mixed_jobs_from_answers_events_and_states()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        await journey.CountingWorkerAsync(dispatcher);
        await journey.RepoWorkerAsync(dispatcher);
        var billing = await journey.ProducerAsync();
        var jobs = Enumerable.Range(0, Journey.Jobs(400)).Select(Mixed).ToList();

        await billing.PublishAsync(jobs);

        // By the wire alone: who is not denied or held gets an event of its end, and the same at the reply queue.
        await Eventually.IsAsync(
            () =>
                jobs.All(job =>
                    billing.Decision(job) is { } decision
                    && billing.EventsOf(job).Contains(Expected(job).End)
                    && (decision.State != JobState.Accepted || billing.Final(job) is not null)
                ),
            "every job is accounted for\n" + journey.Logs(),
            seconds: 90
        );
        foreach (var job in jobs)
        {
            var (verdict, end) = Expected(job);
            Assert.Equal(verdict, billing.Decision(job)!.Verdict);
            Assert.Equal(end == "dead_lettered" ? ["dead_lettered", "faulted"] : [end], billing.EventsOf(job).Order());
            Assert.Single(billing.Decisions(job));
            var stated = await dispatcher.StateAsync(job.JobId);
            Assert.Equal(end == "denied" ? "" : end, stated);
        }

        var shown = (await dispatcher.SendAsync(HttpMethod.Get, "/api/status"))
            .Body.GetProperty("jobs")
            .EnumerateObject()
            .ToDictionary(state => state.Name, state => state.Value.GetInt32());
        Assert.Equal(
            jobs.Select(job => Expected(job).End)
                .Where(end => end != "denied")
                .GroupBy(end => end)
                .ToDictionary(group => group.Key, group => group.Count()),
            shown
        );
        var failing = jobs.Count(job => Expected(job).End == "dead_lettered");
        Assert.Equal(failing, (await dispatcher.DeadLettersAsync()).Count(letter => letter.GetProperty("owner").GetString() == "testers"));
        await Eventually.IsAsync(() => billing.DeadLetters.Count == failing, "the copies of the dead letters come");
        await journey.EndsWellAsync(expectedDeadLetters: failing);
    }

    [Fact]
    public async Task Jobs_published_three_times_end_once_when_a_dispatcher_and_a_worker_are_killed()
    {
        var count = Journey.Jobs(1_000);
        await using var journey = await Journey.BeginAsync();
        var (first, second) = await journey.TwoDispatcherProcessesAsync();
        var firstWorker = await journey.CountingWorkerProcessAsync(first);
        await journey.CountingWorkerAsync(second);
        var billing = await journey.ProducerAsync();
        var jobs = Enumerable.Range(0, count).Select(i => AJob.On(i % 4 == 0 ? "job.test.limited" : "job.test.once")).ToList();
        var watch = System.Diagnostics.Stopwatch.StartNew();

        var publishing = Task.WhenAll(
            billing.PublishAsync(jobs),
            billing.PublishAsync(jobs.AsEnumerable().Reverse()),
            billing.PublishAsync(jobs.Skip(count / 2).Concat(jobs.Take(count / 2)))
        );
        await Eventually.IsAsync(
            async () => await journey.Records.EndedAsync() >= count / 2,
            () => "half of the jobs end\n" + journey.Logs(),
            TimeSpan.FromSeconds(180)
        );
        await first.KillAsync();
        await firstWorker.KillAsync();
        await publishing;
        var published = watch.Elapsed;

        await journey.SettledAsync(count, seconds: 300);
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{count} jobs three times: published in {published.TotalSeconds:F1} s, all ended after {watch.Elapsed.TotalSeconds:F1} s"
        );
        Assert.Equal(count, await journey.Records.EndedAsync());
        Assert.Equal(count, await journey.Records.EffectsAsync());
        await Eventually.IsAsync(
            () => jobs.All(job => billing.EventsOf(job).Contains("succeeded")),
            "every job's final event is published\n" + journey.Logs(),
            seconds: 60
        );
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task Attempts_that_a_killed_worker_has_claimed_ahead_are_repeated_and_have_one_effect()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        var doomed = await journey.CountingWorkerProcessAsync(dispatcher, concurrency: 2);
        var jobs = Enumerable.Range(0, 300).Select(_ => AJob.On("job.test.once")).ToList();
        var blocking = Enumerable
            .Range(0, 20)
            .Select(_ => AJob.On("job.test.once").With(new JsonObject { ["sleep_ms"] = 60_000 }))
            .ToList();

        await (await journey.ProducerAsync()).PublishAsync(jobs.Concat(blocking));
        await Eventually.IsAsync(
            async () =>
                await journey.Records.CountAsync("select count(*) from journey_starts") == 2
                && await journey.Records.CountAsync(
                    "select count(*) from jobs where state = 'running' and job_id = any($1)",
                    blocking.Select(job => job.JobId).ToArray()
                ) > 2,
            () => "both slots are taken, and more attempts are claimed\n" + doomed.Log,
            TimeSpan.FromSeconds(60)
        );
        await doomed.KillAsync();
        await journey.CountingWorkerAsync(dispatcher);

        await journey.SettledAsync(jobs.Count + blocking.Count);
        Assert.Equal(jobs.Count + blocking.Count, await journey.Records.CountAsync("succeeded", "job.test.once"));
        Assert.Equal(jobs.Count + blocking.Count, await journey.Records.EffectsAsync());
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task No_job_is_lost_when_a_dispatcher_is_killed_repeatedly()
    {
        const int Kills = 4;
        const int PerKill = 60;
        var moments = new Random(4711);
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherProcessAsync();
        await journey.CountingWorkerAsync(dispatcher);
        var billing = await journey.ProducerAsync();
        var jobs = Enumerable.Range(0, Kills * PerKill).Select(_ => AJob.On("job.test.once")).ToList();

        foreach (var some in jobs.Chunk(PerKill))
        {
            var publishing = billing.PublishAsync(some);
            // A moment, not a wait: it may fall before an intake commit, between commit and ack, on the way to the pool, or at an outcome.
            await Task.Delay(moments.Next(10, 500), TestContext.Current.CancellationToken);
            await dispatcher.KillAsync();
            await publishing;
            dispatcher = await journey.DispatcherProcessAsync(dispatcher.Address);
        }

        await journey.SettledAsync(jobs.Count);
        Assert.Equal(jobs.Count, await journey.Records.CountAsync("succeeded", "job.test.once"));
        await Eventually.IsAsync(
            () => jobs.All(job => billing.EventsOf(job).Contains("succeeded")),
            "every job's final event is published\n" + journey.Logs(),
            seconds: 30
        );
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task Repeated_dispatch_signals_dispatch_each_job_once()
    {
        const int Times = 40;
        await using var journey = await Journey.BeginAsync();
        var (first, _) = await journey.TwoDispatchersAsync();
        var billing = await journey.ProducerAsync();
        var jobs = Enumerable.Range(0, 100).Select(_ => AJob.On("job.test.once")).ToList();
        await using (var holder = await journey.HoldDispatchAsync())
        {
            await billing.PublishAsync(jobs);
            await Eventually.IsAsync(() => jobs.All(job => billing.Decision(job) is not null), "all are accepted\n" + journey.Logs());

            await journey.Records.PretendWorkerAsync("test", jobs.Count);

            // As a relay does that dies between sending and noting it, time and again.
            var channel = await holder.CreateChannelAsync(cancellationToken: TestContext.Current.CancellationToken);
            var packed = Journey.SignalTest;
            for (var i = 0; i < Times; i++)
            {
                await channel.BasicPublishAsync("", "dispatcher.server.dispatch", packed, TestContext.Current.CancellationToken);
            }
        }

        await journey.CountingWorkerAsync(first);
        await journey.SettledAsync(jobs.Count);
        Assert.Equal(jobs.Count, await journey.Records.CountAsync("succeeded", "job.test.once"));
        await journey.EndsWellAsync();
    }

    private static AJob Mixed(int n) =>
        (n % 10) switch
        {
            0 => AJob.On("job.test.denied"),
            1 => AJob.On("job.test.held"),
            2 => AJob.On("job.test.limited"),
            3 => AJob.On("job.test.once").With(new JsonObject { ["fail"] = true }),
            4 when n % 50 == 4 => AJob.On("job.repo.read").With(new JsonObject { ["repo"] = "demo", ["op"] = "log" }),
            5 => AJob.On("job.test.careful"),
            _ => AJob.On("job.test.once"),
        };

    private static (Verdict Verdict, string End) Expected(AJob job) =>
        job.Topic switch
        {
            "job.test.denied" => (Verdict.Deny, "denied"),
            "job.test.held" => (Verdict.RequireApproval, "held"),
            "job.test.limited" => (Verdict.AllowWithConstraints, "succeeded"),
            _ => (Verdict.Allow, job.Payload["fail"] is null ? "succeeded" : "dead_lettered"),
        };
}
