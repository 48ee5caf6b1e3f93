using System.Text.Json.Serialization;

namespace Dispatcher.Contracts;

/// <summary>The body of <c>POST /api/attempts/heartbeat</c>: this worker is there, and these runs are alive.</summary>
public sealed record HeartbeatRequest
{
    /// <summary>Wire version: 1.</summary>
    [JsonPropertyName("v")]
    public int V { get; init; } = 1;

    /// <summary>The worker instance, as in the claim.</summary>
    [JsonPropertyName("worker")]
    public required string Worker { get; init; }

    /// <summary>The runs; at most 1,000. May be empty where there is a registration.</summary>
    [JsonPropertyName("runs")]
    public required IReadOnlyList<Run> Runs { get; init; }

    /// <summary>What the instance can do. Null: as it last said; a heartbeat of runs alone keeps no registration.</summary>
    [JsonPropertyName("registration")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public WorkerRegistration? Registration { get; init; }
}

/// <summary>One claimed attempt.</summary>
public sealed record Run
{
    /// <summary>The job.</summary>
    [JsonPropertyName("job_id")]
    public required Guid JobId { get; init; }

    /// <summary>The <c>run_id</c> the claim was granted with.</summary>
    [JsonPropertyName("run_id")]
    public required Guid RunId { get; init; }
}

/// <summary>The answer to a <see cref="HeartbeatRequest"/>: runs that must stop. All others have their lease extended.</summary>
public sealed record HeartbeatAnswer
{
    /// <summary>Wire version: 1.</summary>
    [JsonPropertyName("v")]
    public int V { get; init; } = 1;

    /// <summary>Run ids whose job is to be cancelled: stop, and report a fault with code <c>cancelled</c>.</summary>
    [JsonPropertyName("cancelled")]
    public required IReadOnlyList<Guid> Cancelled { get; init; }

    /// <summary>Run ids that lost their lease: stop, and report nothing; an outcome would be refused.</summary>
    [JsonPropertyName("fenced")]
    public required IReadOnlyList<Guid> Fenced { get; init; }

    /// <summary>Constraints that the pool's workers must enforce and the registration does not list. Not empty: do not serve the pool, it gets no work for you.</summary>
    [JsonPropertyName("missing_enforcers")]
    public IReadOnlyList<string> MissingEnforcers { get; init; } = [];

    /// <summary>
    /// The subject of the key. It must be the broker user of the worker: outcomes of another user are not accepted, so that a worker for which
    /// the two differ must not serve. Null: from a server that does not say.
    /// </summary>
    [JsonPropertyName("subject")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Subject { get; init; }

    /// <summary>
    /// The dispatcher's time when it answered (RFC 3339, UTC). A worker's own clock may be off by any amount: it measures the difference here, half
    /// the round trip considered, and reports it as <see cref="WorkerRegistration.ClockAheadMs"/>. Null: from a server that does not say.
    /// </summary>
    [JsonPropertyName("now")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? Now { get; init; }
}
