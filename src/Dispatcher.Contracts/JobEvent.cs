using System.Text.Json;
using System.Text.Json.Serialization;

namespace Dispatcher.Contracts;

/// <summary>
/// Something that happened to a job or to the policy, on exchange <see cref="Exchanges.Events"/> (AMQP type
/// <see cref="MessageTypes.Event"/>). Delivery is at least once and unordered: drop duplicates by
/// <see cref="EventId"/>. An event on the exchange has neither payload nor result. The final state that is sent to the
/// submitter's <c>reply_to</c> has the same form, with the result of a success.
/// </summary>
public sealed record JobEvent
{
    /// <summary>Version of the message format: 1.</summary>
    [JsonPropertyName("v")]
    public int V { get; init; } = 1;

    /// <summary>
    /// The id of this event; on the exchange also the AMQP <c>message_id</c>. The final state at <c>reply_to</c> is an
    /// event of its own, with another id.
    /// </summary>
    [JsonPropertyName("event_id")]
    public required Guid EventId { get; init; }

    /// <summary>
    /// The kind of event: <c>refused</c>, <c>denied</c>, <c>held</c>, <c>approved</c>, <c>rejected</c>, <c>expired</c>,
    /// <c>faulted</c>, <c>dead_lettered</c>, <c>succeeded</c>, <c>quarantined</c>, <c>cancelled</c> or
    /// <c>policy_activated</c>; if configured also <c>accepted</c>, <c>dispatched</c>, <c>started</c>.
    /// </summary>
    [JsonPropertyName("event")]
    public required string Event { get; init; }

    /// <summary>The id of the job. Null: a refused submission without a readable id, or <c>policy_activated</c>.</summary>
    [JsonPropertyName("job_id")]
    public Guid? JobId { get; init; }

    /// <summary>
    /// The topic of the job. For a refused submission without a topic: the routing key, cut to 128 characters. For
    /// <c>policy_activated</c>: <c>policy</c>.
    /// </summary>
    [JsonPropertyName("topic")]
    public required string Topic { get; init; }

    /// <summary>
    /// The principal that submitted the job; <c>unknown</c> for a refused submission without one. For
    /// <c>policy_activated</c>: <c>policy-folder</c> or the subject of the API key that put the bundle in force.
    /// </summary>
    [JsonPropertyName("principal")]
    public required string Principal { get; init; }

    /// <summary>The state of the job after the event. Null: there is no job.</summary>
    [JsonPropertyName("state")]
    public JobState? State { get; init; }

    /// <summary>The attempt that the event belongs to, from 1. 0: before the first dispatch.</summary>
    [JsonPropertyName("attempt")]
    public int Attempt { get; init; }

    /// <summary>When it happened, by the database's clock (RFC 3339, UTC).</summary>
    [JsonPropertyName("at")]
    public required DateTimeOffset At { get; init; }

    /// <summary>
    /// The bundle of the last decision, 64 hex digits. Empty: there was no decision. For <c>policy_activated</c>: the
    /// bundle that is in force now.
    /// </summary>
    [JsonPropertyName("policy_hash")]
    public required string PolicyHash { get; init; }

    /// <summary>Why, for people.</summary>
    [JsonPropertyName("reason")]
    public required string Reason { get; init; }

    /// <summary>
    /// For <c>faulted</c> and <c>dead_lettered</c>: <c>transient</c>, <c>terminal</c>, <c>unknown</c>, <c>timeout</c>,
    /// <c>lost</c> or <c>in_doubt</c>. Null for other events.
    /// </summary>
    [JsonPropertyName("fault_class")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? FaultClass { get; init; }

    /// <summary>
    /// The result of the handler, as <c>GET /api/jobs/{id}</c> shows it, at most 64 KiB. Only in <c>succeeded</c> at
    /// <c>reply_to</c>. Null: the handler returned nothing, or this is an event on the exchange.
    /// </summary>
    [JsonPropertyName("result")]
    [JsonConverter(typeof(RawJson))]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? Result { get; init; }

    /// <summary>
    /// Whether the result was longer than 64 KiB. <see cref="Result"/> is then an object with <c>truncated</c>,
    /// <c>bytes</c> (the original length) and <c>preview</c> (the beginning). The rest is not kept.
    /// </summary>
    [JsonPropertyName("result_truncated")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool ResultTruncated { get; init; }
}
