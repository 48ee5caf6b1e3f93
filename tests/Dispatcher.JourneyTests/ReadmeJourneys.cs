using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>The Python programs of the README, run unchanged but for addresses.</summary>
public sealed partial class ReadmeJourneys
{
    private const int LongestWorker = 170;

    [Fact]
    public async Task Python_worker_serves_a_pool()
    {
        await using var journey = await Journey.BeginAsync();
        journey.Policies.CopyShipped();
        var dispatcher = await journey.DispatcherAsync();
        var script = Path.Combine(journey.Folder, "worker.py");
        var program = Block(Readme.OfWorkers(), "channel.start_consuming()");

        // One run lasts longer than the broker waits for a heartbeat. Another fails with a message that JSON cannot contain.
        await File.WriteAllTextAsync(
            script,
            program
                .Replace(
                    "BlockingConnection(pika.URLParameters(AMQP))",
                    "BlockingConnection(pika.URLParameters(AMQP + '?heartbeat=1'))",
                    StringComparison.Ordinal
                )
                .Replace(
                    "    return {\"echo\"",
                    """
                        if job["payload"]["limit"] == 1: time.sleep(5)
                        if job["payload"]["limit"] == 20: raise Fault("half \ud83d", {"code": "odd", "class": "terminal"})
                        return {"echo"
                    """,
                    StringComparison.Ordinal
                ),
            TestContext.Current.CancellationToken
        );
        var worker = await journey.WorkerAsync(dispatcher, "repo", Python, script);
        var billing = await journey.ProducerAsync();
        var jobs = Enumerable.Range(1, 20).Select(Read).ToList();

        await billing.PublishAsync(jobs);

        await Eventually.IsAsync(
            () => jobs.All(job => billing.Final(job) is not null && billing.EventsOf(job).Count > 0),
            "every job is answered\n" + worker.Log
        );
        Assert.All(jobs.SkipLast(1), job => Assert.Equal("succeeded", Assert.Single(billing.EventsOf(job))));
        Assert.Equal("dead_lettered", Assert.Single(billing.EventsOf(jobs[^1])));
        var letter = Assert.Single(await dispatcher.DeadLettersAsync());
        Assert.Equal(
            ("terminal", "odd", "half ?"),
            (
                letter.GetProperty("fault_class").GetString(),
                letter.GetProperty("fault").GetProperty("code").GetString(),
                letter.GetProperty("fault").GetProperty("message").GetString()
            )
        );
        Assert.Equal(
            8,
            (await dispatcher.JobAsync(jobs[7].JobId)).GetProperty("result").GetProperty("echo").GetProperty("limit").GetInt32()
        );
        Assert.InRange(program.Split('\n').Length, 1, LongestWorker);
        await worker.KillAsync();
        await journey.EndsWellAsync(expectedDeadLetters: 1);
    }

    /// <summary>The worker gets a message that is not for it, loses its connection, and its clock is off.</summary>
    [Fact]
    public async Task Python_worker_keeps_serving_when_its_connection_is_lost_and_its_clock_is_off()
    {
        await using var journey = await Journey.BeginAsync();
        journey.Policies.CopyShipped();
        var dispatcher = await journey.DispatcherAsync();
        var script = Path.Combine(journey.Folder, "worker.py");
        var program = Block(Readme.OfWorkers(), "channel.start_consuming()")
            .Replace("import pika\n", "import pika\nreal = time.time\ntime.time = lambda: real() + 600\n", StringComparison.Ordinal)
            .Replace(
                "    return {\"echo\"",
                "    if job[\"payload\"][\"limit\"] == 2: time.sleep(8)\n    return {\"echo\"",
                StringComparison.Ordinal
            );
        await File.WriteAllTextAsync(script, program, TestContext.Current.CancellationToken);
        var worker = await journey.WorkerAsync(dispatcher, "repo", Python, script);
        var billing = await journey.ProducerAsync();
        var jobs = Enumerable.Range(1, 4).Select(Read).ToList();
        await journey.ForgeAsync("dispatcher.work", "repo", "{}"u8.ToArray());

        await billing.PublishAsync(jobs[0]);
        await dispatcher.InStateAsync(jobs[0].JobId, "succeeded");
        await billing.PublishAsync(jobs[1]);
        await dispatcher.InStateAsync(jobs[1].JobId, "running");
        Assert.Equal(1, await Servers.CutConnectionsAsync(journey.Name, "worker-repo"));
        await billing.PublishAsync(jobs[2..]);

        foreach (var job in jobs)
        {
            await dispatcher.InStateAsync(job.JobId, "succeeded");
        }

        var known = Assert.Single(
            (await dispatcher.SendAsync(HttpMethod.Get, "/api/workers")).Body.GetProperty("workers").EnumerateArray()
        );
        Assert.InRange(known.GetProperty("clock_ahead_ms").GetInt64(), 590_000, 610_000);
        Assert.Equal(1, known.GetProperty("dropped").GetInt32());
        Assert.Contains("not connected, trying again", worker.Log, StringComparison.Ordinal);
        await worker.KillAsync();
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task Python_worker_reports_each_result_that_cannot_be_stored_and_keeps_serving()
    {
        string[] handlers =
        [
            "deep = []\n    for _ in range(61): deep = [deep]\n    return deep",
            "return {\"text\": \"\\ud83d\"}",
            "return {1: 1, \"1\": 2}",
            "return \"x\" * 600_000",
            "return {1, 2}",
        ];
        await using var journey = await Journey.BeginAsync();
        journey.Policies.CopyShipped();
        var dispatcher = await journey.DispatcherAsync();
        var script = Path.Combine(journey.Folder, "worker.py");
        var cases = handlers.Select(
            (handler, i) =>
                $"    if job[\"payload\"][\"limit\"] == {i + 1}:\n     {handler.Replace("\n", "\n ", StringComparison.Ordinal)}\n"
        );
        await File.WriteAllTextAsync(
            script,
            Block(Readme.OfWorkers(), "channel.start_consuming()")
                .Replace("    return {\"echo\"", string.Concat(cases) + "    return {\"echo\"", StringComparison.Ordinal),
            TestContext.Current.CancellationToken
        );
        var worker = await journey.WorkerAsync(dispatcher, "repo", Python, script);
        var billing = await journey.ProducerAsync();
        var jobs = Enumerable.Range(1, handlers.Length + 1).Select(Read).ToList();

        await billing.PublishAsync(jobs);

        foreach (var job in jobs[..^1])
        {
            await dispatcher.InStateAsync(job.JobId, "dead_lettered");
        }

        await dispatcher.InStateAsync(jobs[^1].JobId, "succeeded");
        var letters = await dispatcher.DeadLettersAsync();
        Assert.Equal(handlers.Length, letters.Count);
        Assert.All(
            letters,
            letter =>
            {
                Assert.Equal(
                    ("terminal", "bad_result", 1),
                    (
                        letter.GetProperty("fault_class").GetString(),
                        letter.GetProperty("fault").GetProperty("code").GetString(),
                        letter.GetProperty("attempt").GetInt32()
                    )
                );
                var message = letter.GetProperty("fault").GetProperty("message").GetString();
                Assert.Contains("cannot be stored", message, StringComparison.Ordinal);
            }
        );
        await worker.KillAsync();
        await journey.EndsWellAsync(expectedDeadLetters: handlers.Length);
    }

    [Fact]
    public async Task Python_worker_ends_before_it_runs_a_job_when_its_user_may_not_write()
    {
        await using var journey = await Journey.BeginAsync();
        journey.Policies.CopyShipped();
        var dispatcher = await journey.DispatcherAsync();
        await Servers.MakeUserAsync(journey.Name, "worker-repo", "^$", "^$", "^dispatcher\\.work\\.repo$");
        var script = Path.Combine(journey.Folder, "worker.py");
        await File.WriteAllTextAsync(script, Block(Readme.OfWorkers(), "channel.start_consuming()"), TestContext.Current.CancellationToken);

        var worker = await journey.WorkerAsync(dispatcher, "repo", Python, script);

        await worker.EndAsync(TimeSpan.FromSeconds(30));
        Assert.Contains("the broker user worker-repo lacks a right", worker.Log, StringComparison.Ordinal);
        Assert.Contains("dispatcher.outcomes", worker.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Python_producer_gets_its_decision_and_its_final_event()
    {
        await using var journey = await Journey.BeginAsync();
        journey.Policies.CopyShipped();
        var dispatcher = await journey.DispatcherAsync();
        await journey.RepoWorkerAsync(dispatcher);
        await journey.ProducerAsync();
        var script = Path.Combine(journey.Folder, "producer.py");
        var program = Block(Readme.Text(), "channel.queue_declare(")
            .Replace(
                "amqp://billing:PASSWORD@127.0.0.1:5672/",
                Servers.BrokerAs("billing", journey.Name).AbsoluteUri,
                StringComparison.Ordinal
            )
            .Replace("SERVER = \"main\"", "SERVER = \"server\"", StringComparison.Ordinal)
            .Replace("inactivity_timeout=10", "inactivity_timeout=3", StringComparison.Ordinal);
        await File.WriteAllTextAsync(script, program + "\n    if properties is None: break\n", TestContext.Current.CancellationToken);

        await using var producer = new ChildProcess(new Dictionary<string, string> { ["PYTHONUNBUFFERED"] = "1" }, Python, [script]);

        await producer.EndAsync(TimeSpan.FromSeconds(60));
        Assert.Matches("(?s)^decision accepted allowed.*event succeeded {.*'A first commit'", producer.Log);
        await journey.EndsWellAsync();
    }

    private static AJob Read(int limit) =>
        AJob.On("job.repo.read")
            .With(
                new JsonObject
                {
                    ["repo"] = "demo",
                    ["op"] = "log",
                    ["limit"] = limit,
                }
            );

    private static string Python => Environment.GetEnvironmentVariable("DISPATCHER_TEST_PYTHON") ?? "python3";

    /// <summary>The one Python block of the page that has this text.</summary>
    private static string Block(string page, string text) =>
        Assert.Single(
            PythonBlock().Matches(page).Select(match => match.Groups[1].Value.TrimEnd()),
            block => block.Contains(text, StringComparison.Ordinal)
        );

    [GeneratedRegex("```python\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex PythonBlock();
}
