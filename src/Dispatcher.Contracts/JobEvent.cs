using System.Text.Json;
using System.Text.Json.Serialization;

namespace Dispatcher.Contracts;

/// <summary>
/// Something that happened to a job, or to the policy that decides about jobs, on exchange <see cref="Exchanges.Events"/> (AMQP type <see cref="MessageTypes.Event"/>). At least once and unordered:
/// deduplicate by <see cref="EventId"/>. An event on the exchange never carries the payload or the result. The final state that goes to the
/// submitter's <c>reply_to</c> has the same form, and the result of a success.
/// </summary>
public sealed record JobEvent
{
    /// <summary>Wire version: 1.</summary>
    [JsonPropertyName("v")]
    public int V { get; init; } = 1;

    /// <summary>This event; the AMQP <c>message_id</c> too.</summary>
    [JsonPropertyName("event_id")]
    public required Guid EventId { get; init; }

    /// <summary>One of <c>refused, denied, held, approved, rejected, expired, faulted, dead_lettered, succeeded, quarantined, cancelled, policy_activated</c>; by configuration also <c>accepted, dispatched, started</c>.</summary>
    [JsonPropertyName("event")]
    public required string Event { get; init; }

    /// <summary>The job. Null when a refused submission had no readable id, and for <c>policy_activated</c>.</summary>
    [JsonPropertyName("job_id")]
    public Guid? JobId { get; init; }

    /// <summary>The job's topic; the routing key, cut to 128 characters, when a refused submission had none; <c>policy</c> for <c>policy_activated</c>.</summary>
    [JsonPropertyName("topic")]
    public required string Topic { get; init; }

    /// <summary>Who handed the job in; <c>unknown</c> when a refused submission did not say. Of <c>policy_activated</c>: who put the bundle in force, <c>policy-folder</c> or the subject of an API key.</summary>
    [JsonPropertyName("principal")]
    public required string Principal { get; init; }

    /// <summary>The job's state after the event. Null when there is no job.</summary>
    [JsonPropertyName("state")]
    public JobState? State { get; init; }

    /// <summary>The attempt the event belongs to; 0 before the first dispatch.</summary>
    [JsonPropertyName("attempt")]
    public int Attempt { get; init; }

    /// <summary>When, by the database's clock (RFC 3339, UTC).</summary>
    [JsonPropertyName("at")]
    public required DateTimeOffset At { get; init; }

    /// <summary>The bundle of the last decision, 64 hex digits; empty when there was no decision. Of <c>policy_activated</c>: the bundle that is in force now.</summary>
    [JsonPropertyName("policy_hash")]
    public required string PolicyHash { get; init; }

    /// <summary>Why, in words.</summary>
    [JsonPropertyName("reason")]
    public required string Reason { get; init; }

    /// <summary>For <c>faulted</c> and <c>dead_lettered</c>: <c>transient</c>, <c>terminal</c>, <c>unknown</c>, <c>timeout</c>, <c>lost</c>, <c>in_doubt</c>. Null otherwise.</summary>
    [JsonPropertyName("fault_class")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? FaultClass { get; init; }

    /// <summary>
    /// Only at <c>reply_to</c>, of <c>succeeded</c>: what the handler returned, as <c>GET /api/jobs/{id}</c> shows it, at most 64 KiB. Null: the
    /// handler returned nothing, or this is an event on the exchange.
    /// </summary>
    [JsonPropertyName("result")]
    [JsonConverter(typeof(RawJson))]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? Result { get; init; }

    /// <summary>
    /// Whether the result was longer than 64 KiB. <see cref="Result"/> is then an object with <c>truncated</c>, <c>bytes</c> (the length it
    /// had) and <c>preview</c> (its beginning); the rest is kept nowhere.
    /// </summary>
    [JsonPropertyName("result_truncated")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool ResultTruncated { get; init; }
}
