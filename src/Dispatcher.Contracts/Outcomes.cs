using System.Text.Json;
using System.Text.Json.Serialization;

namespace Dispatcher.Contracts;

/// <summary>
/// What a worker sends to exchange <see cref="Exchanges.Outcomes"/>: 1 to 256 outcomes, at most 1 MiB together; a larger message is refused
/// as a whole, and its runs count as lost. The AMQP <c>user_id</c> must be the subject of the key that claimed. Each outcome is taken by
/// itself: one that cannot be read ends its own attempt with the terminal fault
/// <c>bad_result</c>.
/// </summary>
public sealed record OutcomeBatch
{
    /// <summary>Wire version: 1.</summary>
    [JsonPropertyName("v")]
    public int V { get; init; } = 1;

    /// <summary>The outcomes.</summary>
    [JsonPropertyName("outcomes")]
    public required IReadOnlyList<AttemptOutcome> Outcomes { get; init; }
}

/// <summary>How one claimed attempt ended. Accepted only for the attempt and run that are on the job; anything else is recorded as late.</summary>
public sealed record AttemptOutcome
{
    /// <summary>The job.</summary>
    [JsonPropertyName("job_id")]
    public required Guid JobId { get; init; }

    /// <summary>The attempt.</summary>
    [JsonPropertyName("attempt")]
    public required int Attempt { get; init; }

    /// <summary>The <c>run_id</c> the claim was granted with.</summary>
    [JsonPropertyName("run_id")]
    public required Guid RunId { get; init; }

    /// <summary>The worker instance, as in the claim.</summary>
    [JsonPropertyName("worker")]
    public required string Worker { get; init; }

    /// <summary>The permit's <c>jti</c>.</summary>
    [JsonPropertyName("permit_id")]
    public required Guid PermitId { get; init; }

    /// <summary>How it ended.</summary>
    [JsonPropertyName("kind")]
    public required OutcomeKind Kind { get; init; }

    /// <summary>
    /// For <see cref="OutcomeKind.Succeeded"/>: any JSON value of at most <see cref="JsonLimits.DeepestValue"/> levels (<c>[]</c> has
    /// one), in
    /// which each name is once in an object and no text has half a surrogate pair. Anything else ends the attempt with <c>bad_result</c>: a
    /// worker checks before it sends. Over 64 KiB it is replaced by its first bytes and marked. Null: nothing to tell.
    /// </summary>
    [JsonPropertyName("result")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? Result { get; init; }

    /// <summary>For <see cref="OutcomeKind.Faulted"/>: what went wrong. Null otherwise.</summary>
    [JsonPropertyName("fault")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Fault? Fault { get; init; }

    /// <summary>When the handler began (RFC 3339), by the worker's clock corrected by <see cref="HeartbeatAnswer.Now"/>.</summary>
    [JsonPropertyName("started_at")]
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>When it ended (RFC 3339), by the same clock.</summary>
    [JsonPropertyName("ended_at")]
    public required DateTimeOffset EndedAt { get; init; }
}

/// <summary>How an attempt ended.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<OutcomeKind>))]
public enum OutcomeKind
{
    /// <summary>Done.</summary>
    [JsonStringEnumMemberName("succeeded")]
    Succeeded,

    /// <summary>Failed; <see cref="AttemptOutcome.Fault"/> says how.</summary>
    [JsonStringEnumMemberName("faulted")]
    Faulted,

    /// <summary>Given back before the handler ran, for example because the worker stops. Costs no retry.</summary>
    [JsonStringEnumMemberName("returned")]
    Returned,
}

/// <summary>What went wrong in an attempt.</summary>
public sealed record Fault
{
    /// <summary>The handler's own word: <c>transient</c> or <c>terminal</c>. Null: it does not know.</summary>
    [JsonPropertyName("class")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Class { get; init; }

    /// <summary>The exception's type or the like, at most 256 characters, for example <c>System.IO.IOException</c>.</summary>
    [JsonPropertyName("type")]
    public required string Type { get; init; }

    /// <summary>What happened, at most 4,096 characters.</summary>
    [JsonPropertyName("message")]
    public required string Message { get; init; }

    /// <summary>A machine's word: <c>timeout</c>, <c>cancelled</c>, <c>exit:1</c>, <c>http:503</c>. At most 64 characters. Null: none.</summary>
    [JsonPropertyName("code")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Code { get; init; }

    /// <summary>Do not try again sooner, in milliseconds. Null: no wish.</summary>
    [JsonPropertyName("retry_after_ms")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? RetryAfterMs { get; init; }
}
