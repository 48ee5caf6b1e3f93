using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Microsoft.Extensions.Options;

namespace Dispatcher.Outbox;

/// <summary>The names of events.</summary>
internal static class EventNames
{
    public const string Refused = "refused";
    public const string Faulted = "faulted";
    public const string PolicyActivated = "policy_activated";

    /// <summary>The events that are published by default: those that people and programs wait for.</summary>
    public static readonly string[] Default =
    [
        Refused,
        "denied",
        "held",
        "approved",
        "rejected",
        "expired",
        Faulted,
        "dead_lettered",
        "succeeded",
        "quarantined",
        "cancelled",
        PolicyActivated,
    ];

    public static readonly string[] All = [.. Default, "accepted", "dispatched", "started"];

    /// <summary>The event of a job that enters a state. Null: there is none.</summary>
    public static string? Of(JobState state) =>
        state switch
        {
            JobState.Running => "started",
            JobState.Retrying => Faulted,
            JobState.Accepted
            or JobState.Held
            or JobState.Approved
            or JobState.Dispatched
            or JobState.Succeeded
            or JobState.Quarantined
            or JobState.DeadLettered
            or JobState.Denied
            or JobState.Rejected
            or JobState.Expired
            or JobState.Cancelled => WireNames.Of(state),
        };
}

/// <summary>Makes the event messages of jobs and of the policy, and the final reply to the submitter.</summary>
internal sealed class JobEvents(StoreClock clock, TimeProvider time, IOptions<EventOptions> options)
{
    /// <summary>The topic of policy events, which belong to no topic of jobs.</summary>
    private const string PolicyTopic = "policy";

    /// <summary>The event of the state of <paramref name="job"/>. Empty: that event is not published.</summary>
    public IReadOnlyList<OutboxMessage> Of(Job job) =>
        EventNames.Of(job.State) is { } name && options.Value.Publish.Contains(name) ? [Message(Event(job, name))] : [];

    /// <summary>The event of a refused submission.</summary>
    public IReadOnlyList<OutboxMessage> OfRefusal(string? principal, string? routingKey, Guid? jobId, string reason)
    {
        var refused = new JobEvent
        {
            EventId = Guid.CreateVersion7(time.GetUtcNow()),
            Event = EventNames.Refused,
            JobId = jobId,
            Topic = Routable(routingKey),
            Principal = principal is not null && PrincipalName.IsValid(principal) ? principal : "unknown",
            At = Timestamps.At(clock.Now),
            PolicyHash = "",
            Reason = reason,
        };
        return options.Value.Publish.Contains(EventNames.Refused) ? [Message(refused)] : [];
    }

    /// <summary>The event of an activation. Its principal is the actor of the activation.</summary>
    public IReadOnlyList<OutboxMessage> OfActivation(Activation activation)
    {
        var activated = new JobEvent
        {
            EventId = Guid.CreateVersion7(time.GetUtcNow()),
            Event = EventNames.PolicyActivated,
            Topic = PolicyTopic,
            Principal = activation.Actor,
            At = Timestamps.At(clock.Now),
            PolicyHash = activation.Hash,
            Reason = $"{activation.Reason}; in force before: {activation.Before ?? "none"}",
        };
        return options.Value.Publish.Contains(EventNames.PolicyActivated) ? [Message(activated)] : [];
    }

    /// <summary>
    /// The final state for the reply queue of the submitter: the event, and the result of a successful job. Only this reply has the result;
    /// an event on the exchange never has it.
    /// </summary>
    public Reply Final(Job job, string queue, string? correlationId)
    {
        var happened = Event(job, WireNames.Of(job.State));
        var final = job is not { State: JobState.Succeeded, Result: { } result }
            ? happened
            : happened with
            {
                Result = JsonSerializer.Deserialize<JsonElement>(result),
                ResultTruncated = job.ResultTruncated,
            };
        return new Reply(queue, correlationId, MessageTypes.Event, JsonSerializer.SerializeToUtf8Bytes(final, WireJson.Default.JobEvent));
    }

    private JobEvent Event(Job job, string name) =>
        new()
        {
            EventId = Guid.CreateVersion7(time.GetUtcNow()),
            Event = name,
            JobId = job.JobId,
            Topic = job.Topic,
            Principal = job.Principal,
            State = job.State,
            Attempt = job.Attempt,
            At = Timestamps.At(clock.Now),
            PolicyHash = job.PolicyHash,
            Reason =
                job.State is JobState.Retrying or JobState.DeadLettered or JobState.Cancelled && job.Fault is { } fault
                    ? fault.Message
                    : job.Reason,
            FaultClass = job.FaultClass,
        };

    /// <summary>A topic that fits a routing key of 255 bytes: the input is untrusted.</summary>
    private static string Routable(string? topic)
    {
        var text = new string([.. (topic ?? "").Where(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_').Take(128)]);
        return text.Length == 0 ? "unknown" : text;
    }

    private static OutboxMessage Message(JobEvent happened) =>
        new()
        {
            MessageId = happened.EventId,
            Exchange = Exchanges.Events,
            RoutingKey = $"{happened.Event}.{happened.Principal}.{happened.Topic}",
            Mandatory = false,
            Type = MessageTypes.Event,
            Body = JsonSerializer.SerializeToUtf8Bytes(happened, WireJson.Default.JobEvent),
        };
}
