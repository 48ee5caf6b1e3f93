using System.Diagnostics;
using Dispatcher.Base;
using Dispatcher.Contracts;

namespace Dispatcher.Jobs;

/// <summary>
/// The spans of a job, in the trace of its submission. <see cref="Job.TraceParent"/> carries the trace from step to step, because the steps
/// run in different processes. Names and attributes follow OpenTelemetry's conventions for messaging.
/// </summary>
/// <remarks>
/// While <see cref="Source"/> has no listener, each method returns null at once. The methods are therefore called on the path of every
/// job. <c>ops/README.md</c> lists the spans.
/// </remarks>
internal static class JobSpans
{
    public const string SourceName = "Dispatcher";

    /// <summary>A backend refuses spans with too many links, and the SDK drops those above 128.</summary>
    private const int MaxLinks = 128;

    public static readonly ActivitySource Source = new(SourceName);

    /// <summary>
    /// The span of a submission. It is the parent of all later spans of the job. Over HTTP its parent is the request, which is in the trace
    /// of the header; otherwise it is the producer's span.
    /// </summary>
    /// <param name="channel"><c>amqp</c> or <c>http</c>.</param>
    /// <param name="traceParent">The header of the producer. Null or invalid: a new trace begins.</param>
    /// <param name="messageId">The AMQP <c>message_id</c>. Null: none.</param>
    public static Activity? Intake(string channel, string? traceParent, string? messageId)
    {
        if (!Source.HasListeners())
        {
            return null;
        }

        if (channel != "amqp")
        {
            return Source.StartActivity("intake", ActivityKind.Internal, Activity.Current?.Context ?? ContextOf(traceParent));
        }

        var span = Source.StartActivity($"process {Exchanges.Jobs}", ActivityKind.Consumer, ContextOf(traceParent));
        return span?.AsMessage("process", Exchanges.Jobs, messageId);
    }

    /// <summary>The span of one evaluation of the policy.</summary>
    public static Activity? Decide(Job job) => Start("decide", ActivityKind.Internal, job);

    /// <summary>The span of a dispatch. The work message has its context, so the run is its child.</summary>
    public static Activity? Dispatch(Job job) =>
        Source.HasListeners() ? Start($"send {Exchanges.Work}", ActivityKind.Producer, job)?.AsMessage("send", Exchanges.Work, null) : null;

    /// <summary>The span of an outcome that a worker sent.</summary>
    public static Activity? Outcome(Job job) =>
        Source.HasListeners()
            ? Start($"process {Exchanges.Outcomes}", ActivityKind.Consumer, job)?.AsMessage("process", Exchanges.Outcomes, null)
            : null;

    /// <summary>The time that a job was held for approval, ended by this move. The link names the vote or the loop that ended it.</summary>
    public static void Hold(Move move, long now)
    {
        if (!Source.HasListeners())
        {
            return;
        }

        using var span = Source.StartActivity(
            "hold",
            ActivityKind.Internal,
            ContextOf(move.Before.TraceParent),
            links: Activity.Current is { } ended ? [new ActivityLink(ended.Context)] : null,
            startTime: DateTimeOffset.UnixEpoch.AddMicroseconds(move.Before.UpdatedAt)
        );
        span?.Of(move.Before).SetTag("dispatcher.state", WireNames.Of(move.After.State));
        span?.SetEndTime(DateTimeOffset.UnixEpoch.AddMicroseconds(now).UtcDateTime);
    }

    /// <summary>One commit for many jobs: a trace of its own with a link to each recorded job.</summary>
    /// <param name="hop">What is committed: <c>intake</c> or <c>moves</c>.</param>
    /// <param name="jobs">The jobs of the batch.</param>
    public static Activity? Commit(string hop, IEnumerable<Job> jobs)
    {
        if (!Source.HasListeners())
        {
            return null;
        }

        var all = jobs.ToList();
        var links = all.Select(job => ContextOf(job.TraceParent))
            .Where(context => context.TraceFlags.HasFlag(ActivityTraceFlags.Recorded))
            .Take(MaxLinks)
            .Select(context => new ActivityLink(context))
            .ToList();
        return links.Count == 0
            ? null
            : Source
                .StartActivity($"commit {hop}", ActivityKind.Internal, default(ActivityContext), links: links)
                ?.SetTag("dispatcher.batch.size", all.Count);
    }

    /// <summary>The context that a message about the job carries: of the current span of the job, else the job's own.</summary>
    public static string? ContextFor(Job job) =>
        Activity.Current is { } current && ReferenceEquals(current.Source, Source) ? current.Id : job.TraceParent;

    /// <summary>Adds the attributes that every span of a job has.</summary>
    public static Activity Of(this Activity span, Job job) =>
        span.SetTag("dispatcher.job.id", job.JobId.ToString())
            .SetTag("dispatcher.job.topic", job.Topic)
            .SetTag("dispatcher.job.attempt", job.Attempt);

    private static Activity AsMessage(this Activity span, string operation, string destination, string? messageId)
    {
        span.SetTag("messaging.system", "rabbitmq")
            .SetTag("messaging.operation.type", operation)
            .SetTag("messaging.operation.name", operation)
            .SetTag("messaging.destination.name", destination);
        return messageId is null ? span : span.SetTag("messaging.message.id", messageId);
    }

    private static Activity? Start(string name, ActivityKind kind, Job job) =>
        Source.HasListeners() ? Source.StartActivity(name, kind, ContextOf(job.TraceParent))?.Of(job) : null;

    private static ActivityContext ContextOf(string? traceParent) =>
        ActivityContext.TryParse(traceParent, null, isRemote: true, out var context) ? context : default;
}
