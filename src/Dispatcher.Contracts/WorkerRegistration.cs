using System.Text.Json.Serialization;

namespace Dispatcher.Contracts;

/// <summary>
/// Pool, topics and capacity of a worker instance. It is sent with the first heartbeat and then at least every 5 s. The server
/// dispatches to a pool only as much as its registered instances can run.
/// </summary>
public sealed record WorkerRegistration
{
    /// <summary>
    /// The pool that the instance serves, for example <c>shell</c>. An instance of several pools sends one registration
    /// for each.
    /// </summary>
    [JsonPropertyName("pool")]
    public required string Pool { get; init; }

    /// <summary>The version of the worker, for people; at most 128 characters.</summary>
    [JsonPropertyName("version")]
    public required string Version { get; init; }

    /// <summary>
    /// The topics that the instance has a handler for; at most 256, and together with the enforcers at most 16 KiB of
    /// UTF-8.
    /// </summary>
    [JsonPropertyName("topics")]
    public required IReadOnlyList<string> Topics { get; init; }

    /// <summary>
    /// The constraints that the instance enforces, for example <c>timeout_ms</c>; at most 64. The server answers with
    /// the ones that <c>topics.yaml</c> requires for the pool and this list lacks.
    /// </summary>
    [JsonPropertyName("enforcers")]
    public required IReadOnlyList<string> Enforcers { get; init; }

    /// <summary>How many runs the instance can hold at once, 1 to 1,024. 0: it is stopping and gets no more work.</summary>
    [JsonPropertyName("capacity")]
    public required int Capacity { get; init; }

    /// <summary>
    /// Whether several instances share this API key on purpose. If two instances use one key and one of them does not
    /// set this, the server reports the key as shared.
    /// </summary>
    [JsonPropertyName("shared")]
    public bool Shared { get; init; }

    /// <summary>
    /// How far the clock of the instance is ahead of the server's, in milliseconds, measured with
    /// <see cref="HeartbeatAnswer.Now"/>. Negative: it is behind. Null: not measured yet.
    /// </summary>
    [JsonPropertyName("clock_ahead_ms")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? ClockAheadMs { get; init; }

    /// <summary>How many deliveries the instance has dropped without a claim since it started, because it could not read them.</summary>
    [JsonPropertyName("dropped")]
    public long Dropped { get; init; }

    /// <summary>
    /// Why the instance could not use its last deliveries, for example <c>unreadable_body</c>; at most 128 characters.
    /// While this is set, the instance consumes nothing and the server does not count its capacity. Null: it accepts
    /// deliveries.
    /// </summary>
    [JsonPropertyName("dropping")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Dropping { get; init; }
}
