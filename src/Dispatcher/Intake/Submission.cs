using System.Diagnostics;
using System.Security.Cryptography;
using Dispatcher.Broker;
using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;

namespace Dispatcher.Intake;

/// <summary>A submission that was read and is within the limits: the job that it asks for, not evaluated yet, and its source.</summary>
/// <param name="Job">The job, with its hash.</param>
/// <param name="Source">How the submission arrived.</param>
/// <param name="PayloadSha256">Lower-case hex. The payload is hashed once: the job hash and the timeline use this value.</param>
internal sealed record Submission(Job Job, SubmissionSource Source, string PayloadSha256)
{
    public static Submission Of(Job job, SubmissionSource source)
    {
        var payload = SHA256.HashData(job.Payload);
        return new Submission(job with { JobHash = JobHash.Of(job, payload) }, source, Convert.ToHexStringLower(payload));
    }
}

/// <summary>A submission after its first evaluation, or the errors for which it cannot be read: one of the two.</summary>
internal sealed record EvaluatedSubmission(Evaluated<Job>? Evaluated, Submission? Submission, IReadOnlyList<InputError> Errors)
{
    /// <summary><c>amqp</c> or <c>http</c>.</summary>
    public required string Channel { get; init; }

    /// <summary>The timestamp of the clock at which the server began to read it.</summary>
    public required long Began { get; init; }

    /// <summary>The open span of the submission; its answer ends it. Null: it is not traced.</summary>
    public Activity? Span { get; init; }
}

/// <summary>A submission from the broker, as the policy filter passes it to <see cref="IntakeConsumer"/>.</summary>
/// <param name="Source">How it arrived.</param>
/// <param name="Body">Its bytes, kept if it is refused.</param>
/// <param name="Read">Its evaluation, or its errors.</param>
internal sealed record ReceivedSubmission(SubmissionSource Source, ReadOnlyMemory<byte> Body, EvaluatedSubmission Read);

/// <summary>How a submission arrived: what the transport states of it, apart from the body.</summary>
internal sealed record SubmissionSource
{
    /// <summary><c>amqp</c> or <c>http</c>.</summary>
    public required string Channel { get; init; }

    /// <summary>
    /// The AMQP <c>user_id</c>, which the broker has checked, or the subject of the API key. Null: the message names none.
    /// </summary>
    public required string? Principal { get; init; }

    /// <summary>Null over HTTP.</summary>
    public string? RoutingKey { get; init; }

    public string? MessageId { get; init; }
    public string? ContentType { get; init; }
    public string? ContentEncoding { get; init; }
    public string? ReplyTo { get; init; }
    public string? CorrelationId { get; init; }
    public string? TraceParent { get; init; }

    /// <summary>Whether it waited on the broker for longer than its sender, or a policy of the broker, allows. It is not run.</summary>
    public bool IsExpired { get; init; }

    /// <summary>Whether a client took it from the intake queue and rejected it. It is refused.</summary>
    public bool IsRejected { get; init; }

    /// <summary>Length and hash of a body that was too large to keep. Null: the body is whole.</summary>
    public CutBody? Cut { get; init; }

    /// <summary>The id of a submission that brings neither id nor key. Null: such a submission is malformed.</summary>
    public Guid? NewJobId { get; init; }

    /// <summary>The source of a delivery over AMQP.</summary>
    public static SubmissionSource Of(DeliveryFacts facts, RawMessage message) =>
        new()
        {
            Channel = "amqp",
            Principal = facts.UserId,
            RoutingKey = facts.RoutingKey,
            MessageId = facts.MessageId,
            ContentType = facts.ContentType,
            ContentEncoding = facts.ContentEncoding,
            ReplyTo = facts.ReplyTo,
            CorrelationId = facts.CorrelationId,
            TraceParent = facts.TraceParent,
            Cut = message.Cut,
            IsExpired = message.SetAside?.Reason == XDeath.Expired,
            IsRejected = message.SetAside?.Reason == XDeath.Rejected,
        };

    /// <summary>
    /// Where answers may go: only to a reply queue of the principal, so that no client can have answers sent to the queue of another. Null:
    /// no answer is sent.
    /// </summary>
    public string? AllowedReplyTo =>
        ReplyTo is not null
        && Principal is not null
        && (DirectReplyTo.IsValid(ReplyTo) || ReplyTo.StartsWith($"reply.{Principal}.", StringComparison.Ordinal))
            ? ReplyTo
            : null;
}
