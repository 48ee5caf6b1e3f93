using System.Text.Json.Serialization;

namespace Dispatcher.Contracts;

/// <summary>
/// What a worker instance says of itself, with its first heartbeat and then at least every 5 s. A pool is given as much work as its registered workers can run: without one, none.
/// </summary>
public sealed record WorkerRegistration
{
    /// <summary>The pool it serves, for example <c>shell</c>. One that serves several sends one for each.</summary>
    [JsonPropertyName("pool")]
    public required string Pool { get; init; }

    /// <summary>Its version, for people; at most 128 characters.</summary>
    [JsonPropertyName("version")]
    public required string Version { get; init; }

    /// <summary>The topics it has a handler for; at most 256, and with the enforcers at most 16 KiB of UTF-8.</summary>
    [JsonPropertyName("topics")]
    public required IReadOnlyList<string> Topics { get; init; }

    /// <summary>The constraints it enforces, at most 64, for example <c>timeout_ms</c>. One that the pool's entry in the registry lists and this does not is answered as missing.</summary>
    [JsonPropertyName("enforcers")]
    public required IReadOnlyList<string> Enforcers { get; init; }

    /// <summary>How many runs it can have at once, 1 to 1,024. 0: it stops, and is given no more.</summary>
    [JsonPropertyName("capacity")]
    public required int Capacity { get; init; }

    /// <summary>Whether several instances use its credential on purpose. Where two do and one of them does not say so, the credential is flagged as shared.</summary>
    [JsonPropertyName("shared")]
    public bool Shared { get; init; }

    /// <summary>
    /// How far its clock is ahead of the dispatcher's, in milliseconds, as measured with <see cref="HeartbeatAnswer.Now"/>; negative:
    /// behind.
    /// Null: not measured yet.
    /// </summary>
    [JsonPropertyName("clock_ahead_ms")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? ClockAheadMs { get; init; }

    /// <summary>Deliveries that it dropped without a claim since it started, because it could not use them.</summary>
    [JsonPropertyName("dropped")]
    public long Dropped { get; init; }

    /// <summary>
    /// Why it could use none of its last deliveries, for example <c>unreadable_body</c>; at most 128 characters. While this is set it
    /// consumes
    /// nothing, and the dispatcher does not count its capacity. Null: it takes deliveries.
    /// </summary>
    [JsonPropertyName("dropping")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Dropping { get; init; }
}
