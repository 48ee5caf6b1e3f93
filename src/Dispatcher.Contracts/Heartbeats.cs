using System.Text.Json.Serialization;

namespace Dispatcher.Contracts;

/// <summary>
/// The body of <c>POST /api/attempts/heartbeat</c>. It extends the leases of the listed runs and keeps the registration
/// of the worker instance.
/// </summary>
public sealed record HeartbeatRequest
{
    /// <summary>Version of the message format: 1.</summary>
    [JsonPropertyName("v")]
    public int V { get; init; } = 1;

    /// <summary>Name of the worker instance, as in the claim.</summary>
    [JsonPropertyName("worker")]
    public required string Worker { get; init; }

    /// <summary>The runs that are alive; at most 1,000. May be empty when there is a registration.</summary>
    [JsonPropertyName("runs")]
    public required IReadOnlyList<Run> Runs { get; init; }

    /// <summary>
    /// The registration of the instance. Null: unchanged. A heartbeat without a registration does not keep the registration
    /// alive.
    /// </summary>
    [JsonPropertyName("registration")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public WorkerRegistration? Registration { get; init; }
}

/// <summary>One claimed attempt.</summary>
public sealed record Run
{
    /// <summary>The id of the job.</summary>
    [JsonPropertyName("job_id")]
    public required Guid JobId { get; init; }

    /// <summary>The <c>run_id</c> of the granted claim.</summary>
    [JsonPropertyName("run_id")]
    public required Guid RunId { get; init; }
}

/// <summary>The answer to a <see cref="HeartbeatRequest"/>: the runs that must stop. The leases of all other runs are extended.</summary>
public sealed record HeartbeatAnswer
{
    /// <summary>Version of the message format: 1.</summary>
    [JsonPropertyName("v")]
    public int V { get; init; } = 1;

    /// <summary>Run ids of cancelled jobs. Stop each, and report a fault with the code <c>cancelled</c>.</summary>
    [JsonPropertyName("cancelled")]
    public required IReadOnlyList<Guid> Cancelled { get; init; }

    /// <summary>Run ids whose lease has ended. Stop each and report nothing: the server would refuse the outcome.</summary>
    [JsonPropertyName("fenced")]
    public required IReadOnlyList<Guid> Fenced { get; init; }

    /// <summary>
    /// Constraints that the pool requires and the registration does not list. If this is not empty, do not serve the
    /// pool: the server counts no capacity of this instance.
    /// </summary>
    [JsonPropertyName("missing_enforcers")]
    public IReadOnlyList<string> MissingEnforcers { get; init; } = [];

    /// <summary>
    /// The subject of the API key. It must equal the worker's broker user, because outcomes of another user are
    /// refused. A worker whose two names differ must not serve. Null: the server is older than this field.
    /// </summary>
    [JsonPropertyName("subject")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Subject { get; init; }

    /// <summary>
    /// The server's time when it answered (RFC 3339, UTC). The worker computes the offset of its own clock from it,
    /// allows for half the round trip, and reports it as <see cref="WorkerRegistration.ClockAheadMs"/>. Null: the
    /// server is older than this field.
    /// </summary>
    [JsonPropertyName("now")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? Now { get; init; }
}
