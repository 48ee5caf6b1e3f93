using System.Net;
using System.Text.Json.Nodes;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>A trace that begins at the producer has every step of its job, whichever process takes it.</summary>
public sealed class TraceJourneys
{
    private const string Trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    private const string ProducerSpan = "00f067aa0ba902b7";
    private const string TraceParent = $"00-{Trace}-{ProducerSpan}-01";

    private const string AskBeforeReads = """
          - { id: ask-read, match: { topic: job.repo.read }, decision: REQUIRE_APPROVAL, reason: people decide }

        """;

    private static readonly AJob ReadTheLog = AJob.On("job.repo.read").With(new JsonObject { ["repo"] = "demo", ["op"] = "log" });

    [Fact]
    public async Task One_trace_has_a_job_from_its_producer_to_its_outcome()
    {
        await using var collector = await OtlpCollector.StartAsync();
        await using var journey = await Journey.BeginAsync();
        journey.Policies.Write(AskBeforeReads);
        foreach (var (name, value) in collector.Variables)
        {
            journey.Variables[name] = value;
        }

        var dispatcher = await journey.DispatcherProcessAsync();
        await journey.RepoWorkerAsync(dispatcher);
        var ana = await dispatcher.MakeKeyAsync("ana", "approver");
        var billing = await journey.ProducerAsync();
        var job = ReadTheLog with { JobId = Guid.CreateVersion7() };

        await billing.PublishAsync([job.Parcel() with { Headers = new Dictionary<string, object?> { ["traceparent"] = TraceParent } }]);
        await dispatcher.InStateAsync(job.JobId, "held");
        Assert.Equal(HttpStatusCode.OK, (await dispatcher.VoteAsync(job.JobId, "approve", ana)).Status);
        await dispatcher.InStateAsync(job.JobId, "succeeded");
        await journey.EndsWellAsync();

        // Both programs have stopped, so they have sent everything.
        var spans = collector.Spans.Where(span => span.TraceId == Trace).ToList();
        var shown = string.Join('\n', collector.Spans);
        var intake = One(spans, "process dispatcher.jobs", shown);
        var dispatch = One(spans, "send dispatcher.work", shown);
        var run = One(spans, "process dispatcher.work.repo", shown);
        Assert.Equal(ProducerSpan, intake.ParentId);
        Assert.Equal(
            ["dispatch", "intake"],
            spans.Where(span => span.Name == "decide").Select(span => span.Attributes["dispatcher.hop"]).Distinct().Order()
        );
        Assert.All(spans.Where(span => span.Name == "decide"), span => Assert.Equal(intake.SpanId, span.ParentId));
        Assert.Equal(intake.SpanId, One(spans, "hold", shown).ParentId);
        Assert.Equal("approved", One(spans, "hold", shown).Attributes["dispatcher.state"]);
        Assert.Equal(intake.SpanId, dispatch.ParentId);
        Assert.Equal(dispatch.SpanId, run.ParentId);
        Assert.Equal(intake.SpanId, One(spans, "process dispatcher.outcomes", shown).ParentId);
        Assert.Equal(("dispatcher", "dispatcher-worker"), (intake.Service, run.Service));
        Assert.All(
            spans.Where(span => span.Attributes.ContainsKey("dispatcher.job.topic")),
            span => Assert.Equal(job.JobId.ToString(), span.Attributes["dispatcher.job.id"])
        );
        Assert.Equal(
            ("rabbitmq", "process", "dispatcher.jobs", job.JobId.ToString()),
            (
                intake.Attributes["messaging.system"],
                intake.Attributes["messaging.operation.type"],
                intake.Attributes["messaging.destination.name"],
                intake.Attributes["messaging.message.id"]
            )
        );
        // A program sends its metrics when it stops, at the latest.
        Assert.Contains("dispatcher/dispatcher.jobs.submitted", collector.Metrics);
        Assert.Contains("dispatcher-worker/dispatcher.worker.claims", collector.Metrics);

        // A commit serves many jobs: it has a trace of its own, with the statements as its children, and links to the jobs.
        var commit = Assert.Single(collector.Spans, span => span.Name == "commit intake" && span.LinkedTraces.Contains(Trace));
        Assert.Contains(collector.Spans, span => span.ParentId == commit.SpanId && span.Attributes.ContainsKey("db.system.name"));
    }

    [Fact]
    public async Task Submission_over_HTTP_continues_the_trace_of_the_request()
    {
        await using var collector = await OtlpCollector.StartAsync();
        await using var journey = await Journey.BeginAsync();
        foreach (var (name, value) in collector.Variables)
        {
            journey.Variables[name] = value;
        }

        var dispatcher = await journey.DispatcherProcessAsync();
        using var client = dispatcher.Client(DispatcherServer.AdminKey);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/jobs")
        {
            Content = new ByteArrayContent(AJob.On("job.test.denied").Body()),
        };
        request.Headers.Add("traceparent", TraceParent);

        using var answer = await client.SendAsync(request, TestContext.Current.CancellationToken);
        await journey.EndsWellAsync();

        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
        var spans = collector.Spans.Where(span => span.TraceId == Trace).ToList();
        var shown = string.Join('\n', collector.Spans);
        var http = One(spans, "POST /api/jobs/", shown);
        var intake = One(spans, "intake", shown);
        Assert.Equal(ProducerSpan, http.ParentId);
        Assert.Equal(http.SpanId, intake.ParentId);
        Assert.Equal("deny", One(spans, "decide", shown).Attributes["dispatcher.verdict"].ToLowerInvariant());
    }

    [Fact]
    public async Task Without_an_endpoint_no_span_is_made()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherProcessAsync();
        await journey.CountingWorkerAsync(dispatcher);
        var billing = await journey.ProducerAsync();
        var (traced, broken) = (AJob.On("job.test.once"), AJob.On("job.test.once"));

        await billing.PublishAsync([
            traced.Parcel() with
            {
                Headers = new Dictionary<string, object?> { ["traceparent"] = TraceParent },
            },
            broken.Parcel() with
            {
                Headers = new Dictionary<string, object?> { ["traceparent"] = "00-not-a-trace" },
            },
        ]);

        await dispatcher.InStateAsync(traced.JobId, "succeeded");
        await dispatcher.InStateAsync(broken.JobId, "succeeded");
        // A span of intake would be the job's parent instead.
        Assert.Equal([TraceParent], await journey.Records.TextsAsync("select trace_parent from jobs where trace_parent is not null"));
        await journey.EndsWellAsync();
    }

    private static CollectedSpan One(IEnumerable<CollectedSpan> spans, string name, string shown)
    {
        var found = spans.Where(span => span.Name == name).ToList();
        Assert.True(found.Count == 1, $"{found.Count} spans are named {name}.\n{shown}");
        return found[0];
    }
}
