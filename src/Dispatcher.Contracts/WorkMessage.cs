using System.Text.Json;
using System.Text.Json.Serialization;

namespace Dispatcher.Contracts;

/// <summary>
/// One attempt of one job, on queue <see cref="Queues.Work"/> (AMQP type <see cref="MessageTypes.Work"/>), with the permit in header <see cref="Headers.Permit"/>.
/// A worker checks the permit against the body, claims it at <c>POST /api/attempts/claim</c>, acks, and only then runs.
/// </summary>
public sealed record WorkMessage
{
    /// <summary>Wire version: 1.</summary>
    [JsonPropertyName("v")]
    public int V { get; init; } = 1;

    /// <summary>The job.</summary>
    [JsonPropertyName("job_id")]
    public required Guid JobId { get; init; }

    /// <summary>The attempt, from 1.</summary>
    [JsonPropertyName("attempt")]
    public required int Attempt { get; init; }

    /// <summary>The job's topic: which handler runs it.</summary>
    [JsonPropertyName("topic")]
    public required string Topic { get; init; }

    /// <summary>Who handed the job in.</summary>
    [JsonPropertyName("principal")]
    public required string Principal { get; init; }

    /// <summary>The job's labels.</summary>
    [JsonPropertyName("labels")]
    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    /// <summary>The job's payload, byte for byte as handed in.</summary>
    [JsonPropertyName("payload")]
    public required JsonElement Payload { get; init; }

    /// <summary>The limits the worker must enforce. Null: none.</summary>
    [JsonPropertyName("constraints")]
    public Constraints? Constraints { get; init; }

    /// <summary>The attempt must be claimed by then (RFC 3339, UTC); afterwards the claim is refused.</summary>
    [JsonPropertyName("start_by")]
    public required DateTimeOffset StartBy { get; init; }

    /// <summary>The hard limit on the run, in milliseconds from the claim by the worker's monotonic clock. Nothing extends it.</summary>
    [JsonPropertyName("run_until_ms")]
    public required long RunUntilMs { get; init; }

    /// <summary>How often the worker must send a heartbeat, in milliseconds. Three missed ones cost the lease.</summary>
    [JsonPropertyName("heartbeat_ms")]
    public required long HeartbeatMs { get; init; }

    /// <summary>Whether running the job twice does no harm: an effect of which nobody knows whether it happened may then be repeated with the same key.</summary>
    [JsonPropertyName("idempotent")]
    public bool Idempotent { get; init; }

    /// <summary>The bundle that allowed this attempt, 64 hex digits.</summary>
    [JsonPropertyName("policy_hash")]
    public required string PolicyHash { get; init; }

    /// <summary>SHA-256 of the job's content, 64 hex digits.</summary>
    [JsonPropertyName("job_hash")]
    public required string JobHash { get; init; }
}

/// <summary>The claims of a permit (RFC 7519 names where there is one).</summary>
public sealed record PermitClaims
{
    /// <summary>The permit's own id, a UUID.</summary>
    [JsonPropertyName("jti")]
    public required Guid Jti { get; init; }

    /// <summary>The job's id.</summary>
    [JsonPropertyName("sub")]
    public required Guid Sub { get; init; }

    /// <summary>The attempt.</summary>
    [JsonPropertyName("att")]
    public required int Att { get; init; }

    /// <summary>The pool.</summary>
    [JsonPropertyName("aud")]
    public required string Aud { get; init; }

    /// <summary>Expiry: seconds since 1970-01-01T00:00:00Z, the work message's <c>start_by</c> rounded up.</summary>
    [JsonPropertyName("exp")]
    public required long Exp { get; init; }

    /// <summary>SHA-256 of the work message's body as delivered, 64 lower-case hex digits.</summary>
    [JsonPropertyName("bh")]
    public required string Bh { get; init; }
}
