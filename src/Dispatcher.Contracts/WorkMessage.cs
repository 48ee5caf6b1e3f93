using System.Text.Json;
using System.Text.Json.Serialization;

namespace Dispatcher.Contracts;

/// <summary>
/// One attempt of one job, on queue <see cref="Queues.Work"/> (AMQP type <see cref="MessageTypes.Work"/>), with the
/// permit in the header <see cref="Headers.Permit"/>. A worker compares the permit with the body, claims the attempt at
/// <c>POST /api/attempts/claim</c>, acknowledges the message, and only then runs it.
/// </summary>
public sealed record WorkMessage
{
    /// <summary>Version of the message format: 1.</summary>
    [JsonPropertyName("v")]
    public int V { get; init; } = 1;

    /// <summary>The id of the job.</summary>
    [JsonPropertyName("job_id")]
    public required Guid JobId { get; init; }

    /// <summary>The number of the attempt, from 1.</summary>
    [JsonPropertyName("attempt")]
    public required int Attempt { get; init; }

    /// <summary>The topic of the job. It selects the handler.</summary>
    [JsonPropertyName("topic")]
    public required string Topic { get; init; }

    /// <summary>The principal that submitted the job.</summary>
    [JsonPropertyName("principal")]
    public required string Principal { get; init; }

    /// <summary>The job's labels.</summary>
    [JsonPropertyName("labels")]
    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    /// <summary>The payload of the job, byte for byte as submitted.</summary>
    [JsonPropertyName("payload")]
    public required JsonElement Payload { get; init; }

    /// <summary>The limits that the worker must enforce. Null: none.</summary>
    [JsonPropertyName("constraints")]
    public Constraints? Constraints { get; init; }

    /// <summary>The latest time of the claim (RFC 3339, UTC). The server refuses a later claim.</summary>
    [JsonPropertyName("start_by")]
    public required DateTimeOffset StartBy { get; init; }

    /// <summary>
    /// The longest duration of the run, in milliseconds from the claim, measured by the worker's monotonic clock.
    /// Heartbeats do not extend it.
    /// </summary>
    [JsonPropertyName("run_until_ms")]
    public required long RunUntilMs { get; init; }

    /// <summary>
    /// The longest pause between two heartbeats, in milliseconds. The lease ends after three of them without a
    /// heartbeat.
    /// </summary>
    [JsonPropertyName("heartbeat_ms")]
    public required long HeartbeatMs { get; init; }

    /// <summary>
    /// Whether the job may run twice without harm. If so, an effect whose end is unknown may be repeated with the same
    /// effect key.
    /// </summary>
    [JsonPropertyName("idempotent")]
    public bool Idempotent { get; init; }

    /// <summary>SHA-256 of the bundle that allowed this attempt, 64 lower-case hex digits.</summary>
    [JsonPropertyName("policy_hash")]
    public required string PolicyHash { get; init; }

    /// <summary>SHA-256 of the job's content, 64 lower-case hex digits.</summary>
    [JsonPropertyName("job_hash")]
    public required string JobHash { get; init; }
}

/// <summary>The claims of a permit, with the names of RFC 7519 where it has one.</summary>
public sealed record PermitClaims
{
    /// <summary>The id of the permit.</summary>
    [JsonPropertyName("jti")]
    public required Guid Jti { get; init; }

    /// <summary>The id of the job.</summary>
    [JsonPropertyName("sub")]
    public required Guid Sub { get; init; }

    /// <summary>The number of the attempt.</summary>
    [JsonPropertyName("att")]
    public required int Att { get; init; }

    /// <summary>The pool that may claim the attempt.</summary>
    [JsonPropertyName("aud")]
    public required string Aud { get; init; }

    /// <summary>
    /// The end of the permit: the <c>start_by</c> of the work message in seconds since 1970-01-01T00:00:00Z, rounded up. The server
    /// checks it at the claim. A worker does not compare it with its own clock, which may be off.
    /// </summary>
    [JsonPropertyName("exp")]
    public required long Exp { get; init; }

    /// <summary>SHA-256 of the body of the work message as delivered, 64 lower-case hex digits.</summary>
    [JsonPropertyName("bh")]
    public required string Bh { get; init; }
}
