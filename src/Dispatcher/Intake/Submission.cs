using Dispatcher.Broker;
using Dispatcher.Jobs;

namespace Dispatcher.Intake;

/// <summary>A submission that could be read and is within the limits: the job it asks for, which nobody has decided on yet, and where it came from.</summary>
internal sealed record Submission(Job Job, SubmissionSource Source);

/// <summary>How a submission reached us: what the transport says of it, apart from the body.</summary>
internal sealed record SubmissionSource
{
    /// <summary><c>amqp</c> or <c>http</c>.</summary>
    public required string Channel { get; init; }

    /// <summary>The AMQP <c>user_id</c>, which the broker has checked, or the subject of the API key. Null: not said.</summary>
    public required string? Principal { get; init; }

    /// <summary>Null over HTTP.</summary>
    public string? RoutingKey { get; init; }

    public string? MessageId { get; init; }
    public string? ContentType { get; init; }
    public string? ContentEncoding { get; init; }
    public string? ReplyTo { get; init; }
    public string? CorrelationId { get; init; }
    public string? TraceParent { get; init; }

    /// <summary>Whether it waited on the broker for longer than its sender, or a policy of the broker, allows: it is not run.</summary>
    public bool IsExpired { get; init; }

    /// <summary>Length and hash of a body that was too large to keep. Null: the body is whole.</summary>
    public CutBody? Cut { get; init; }

    /// <summary>The id of a submission that brings neither id nor key. Null: such a submission is malformed.</summary>
    public Guid? NewJobId { get; init; }

    /// <summary>Of a delivery over AMQP.</summary>
    public static SubmissionSource Of(DeliveryFacts facts, CutBody? cut) =>
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
            Cut = cut,
        };

    /// <summary>Where answers may go: only to a reply queue that belongs to the principal, so that nobody has answers sent to another's queue.</summary>
    public string? AllowedReplyTo =>
        ReplyTo is not null
        && Principal is not null
        && (DirectReplyTo.IsValid(ReplyTo) || ReplyTo.StartsWith($"reply.{Principal}.", StringComparison.Ordinal))
            ? ReplyTo
            : null;
}
