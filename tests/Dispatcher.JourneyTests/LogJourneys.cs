using System.Text.Json;
using System.Text.Json.Nodes;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>What server and worker log of jobs.</summary>
public sealed class LogJourneys
{
    private const int Decided = 1005;

    [Fact]
    public async Task Burst_of_jobs_logs_no_line_for_a_job()
    {
        await using var journey = await Journey.BeginAsync();
        journey.Variables["DISPATCHER_LOG_FORMAT"] = "json";
        journey.Variables["DISPATCHER_LOG_FILE"] = Path.Combine(journey.Folder, "logs", "server.log");
        var dispatcher = await journey.DispatcherProcessAsync();
        await journey.CountingWorkerAsync(dispatcher);
        var billing = await journey.ProducerAsync();
        var jobs = Enumerable.Range(0, 500).Select(_ => AJob.On("job.test.once")).ToList();

        await billing.PublishAsync(jobs);

        await journey.SettledAsync(jobs.Count);
        await journey.EndsWellAsync();
        var lines = Lines(dispatcher.Log);
        Assert.NotEmpty(lines);
        Assert.DoesNotContain(lines, line => line.Text.Contains("JobId", StringComparison.Ordinal));
        Assert.True(lines.Count < 50, $"{lines.Count} lines for {jobs.Count} jobs:\n{dispatcher.Log}");
        Assert.Equal(lines.Select(line => line.Text), await File.ReadAllLinesAsync(journey.Variables["DISPATCHER_LOG_FILE"], Now));
    }

    [Fact]
    public async Task Level_debug_logs_one_line_for_each_decision_with_the_scope_of_the_job()
    {
        const string Trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        await using var journey = await Journey.BeginAsync();
        journey.Variables["DISPATCHER_LOG_FORMAT"] = "json";
        journey.Variables["DISPATCHER_LOG_LEVEL"] = "Debug";
        var dispatcher = await journey.DispatcherProcessAsync();
        await journey.CountingWorkerAsync(dispatcher);
        var billing = await journey.ProducerAsync();
        var job = AJob.On("job.test.once");
        var headers = new Dictionary<string, object?> { ["traceparent"] = $"00-{Trace}-00f067aa0ba902b7-01" };

        await billing.PublishAsync([job.Parcel() with { Headers = headers }]);

        await dispatcher.InStateAsync(job.JobId, "succeeded");
        await journey.EndsWellAsync();
        var decisions = Lines(dispatcher.Log).Where(line => line.EventId == Decided).ToList();
        Assert.Equal(["Intake", "Dispatch"], decisions.Select(line => line.Properties.GetProperty("Hop").GetString()));
        Assert.All(
            decisions,
            line =>
            {
                Assert.Equal(job.JobId.ToString(), line.Properties.GetProperty("JobId").GetString());
                Assert.Equal("job.test.once", line.Properties.GetProperty("Topic").GetString());
                Assert.Equal(0, line.Properties.GetProperty("Attempt").GetInt32());
                Assert.Equal(Trace, line.TraceId);
            }
        );
    }

    [Fact]
    public async Task Worker_logs_a_failed_run_as_json_with_the_scope_of_the_job()
    {
        const string Trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        await using var journey = await Journey.BeginAsync();
        journey.Variables["DISPATCHER_LOG_FORMAT"] = "json";
        var dispatcher = await journey.DispatcherAsync();
        journey.Variables["DISPATCHER_LOG_FILE"] = Path.Combine(journey.Folder, "worker.log");
        var worker = await journey.RepoWorkerAsync(dispatcher);
        var billing = await journey.ProducerAsync();
        var job = AJob.On("job.repo.read").With(new JsonObject { ["repo"] = "missing", ["op"] = "log" });
        var headers = new Dictionary<string, object?> { ["traceparent"] = $"00-{Trace}-00f067aa0ba902b7-01" };

        await billing.PublishAsync([job.Parcel() with { Headers = headers }]);

        await dispatcher.InStateAsync(job.JobId, "dead_lettered");
        await journey.EndsWellAsync(expectedDeadLetters: 1);
        var failed = Assert.Single(Lines(worker.Log), line => line.Text.Contains("run failed", StringComparison.Ordinal));
        Assert.Equal("Warning", failed.Level);
        Assert.Equal(Trace, failed.TraceId);
        Assert.Equal(
            (job.JobId.ToString(), "job.repo.read", 1),
            (
                failed.Properties.GetProperty("JobId").GetString(),
                failed.Properties.GetProperty("Topic").GetString(),
                failed.Properties.GetProperty("Attempt").GetInt32()
            )
        );
        Assert.Contains(failed.Text, await File.ReadAllLinesAsync(journey.Variables["DISPATCHER_LOG_FILE"], Now));
    }

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    /// <summary>The lines of a log in JSON. A line of anything else fails the test; warnings of the command line precede the log.</summary>
    private static List<Line> Lines(string log) =>
        [
            .. log.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
                .Where(line => !line.StartsWith("warning: ", StringComparison.Ordinal))
                .Select(line => new Line(line, JsonSerializer.Deserialize<JsonElement>(line))),
        ];

    private sealed record Line(string Text, JsonElement Json)
    {
        public string? Level => Json.GetProperty("level").GetString();

        public int EventId => Json.TryGetProperty("event_id", out var id) ? id.GetInt32() : 0;

        public string? TraceId => Json.TryGetProperty("trace_id", out var trace) ? trace.GetString() : null;

        public JsonElement Properties => Json.GetProperty("properties");
    }
}
