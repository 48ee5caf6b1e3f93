using System.Diagnostics;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.UnitTests.Hosting;
using OpenTelemetry.Trace;

namespace Dispatcher.UnitTests.Jobs;

/// <summary>Spans of jobs. Only this class listens to them, and its tests run one after the other.</summary>
public sealed class JobSpansTests
{
    private const string Trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    private const string Parent = $"00-{Trace}-00f067aa0ba902b7-01";

    private static readonly Job Job = AJob.ToTest().With(job => job with { TraceParent = Parent, Attempt = 2 }).Stored;

    [Fact]
    public void Nothing_is_allocated_while_nobody_listens()
    {
        var move = new Move(Job with { State = JobState.Held }, Job with { State = JobState.Approved });
        Job[] batch = [Job];
        SpanAll(batch, move);

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1_000; i++)
        {
            SpanAll(batch, move);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public async Task Server_without_an_endpoint_listens_to_no_span()
    {
        await using var server = await AServer.MigratedAsync();

        Assert.Null(server.Find<TracerProvider>());
        Assert.False(JobSpans.Source.HasListeners());
    }

    [Fact]
    public void Span_is_in_the_trace_of_the_job_and_names_it()
    {
        using var listener = Listen();

        using var span = JobSpans.Dispatch(Job)!;

        Assert.Equal((Trace, "00f067aa0ba902b7"), (span.TraceId.ToString(), span.ParentSpanId.ToString()));
        Assert.Equal(("send dispatcher.work", ActivityKind.Producer), (span.DisplayName, span.Kind));
        Assert.Equal(Job.JobId.ToString(), span.GetTagItem("dispatcher.job.id"));
        Assert.Equal(2, span.GetTagItem("dispatcher.job.attempt"));
        Assert.Equal(span.Id, JobSpans.ContextFor(Job));
    }

    [Fact]
    public void Message_carries_the_context_of_the_submission_outside_a_span()
    {
        using var listener = Listen();
        using var foreign = new Activity("foreign").Start();

        Assert.Equal(Parent, JobSpans.ContextFor(Job));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("00-not-a-trace")]
    public void Submission_without_a_valid_context_begins_a_trace(string? header)
    {
        using var listener = Listen();

        using var span = JobSpans.Intake("amqp", header, "m-1")!;

        Assert.Equal(default, span.ParentSpanId);
        Assert.Equal("m-1", span.GetTagItem("messaging.message.id"));
    }

    [Fact]
    public void Commit_links_to_the_recorded_jobs_only()
    {
        using var listener = Listen();
        Job[] batch = [Job, Job with { TraceParent = null }, Job with { TraceParent = Parent[..^1] + "0" }];

        using var span = JobSpans.Commit("moves", batch)!;

        Assert.Equal(Trace, Assert.Single(span.Links).Context.TraceId.ToString());
        Assert.NotEqual(Trace, span.TraceId.ToString());
        Assert.Equal(3, span.GetTagItem("dispatcher.batch.size"));
        Assert.Null(JobSpans.Commit("moves", batch[1..]));
    }

    private static void SpanAll(Job[] batch, Move move)
    {
        _ = JobSpans.Intake("amqp", Parent, null);
        _ = JobSpans.Decide(Job);
        _ = JobSpans.Dispatch(Job);
        _ = JobSpans.Outcome(Job);
        _ = JobSpans.Commit("moves", batch);
        _ = JobSpans.ContextFor(Job);
        JobSpans.Hold(move, 0);
    }

    private static ActivityListener Listen()
    {
        var listener = new ActivityListener
        {
            ShouldListenTo = source => ReferenceEquals(source, JobSpans.Source),
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
        };
        ActivitySource.AddActivityListener(listener);
        return listener;
    }
}
