using System.Text.Json;
using System.Text.Json.Serialization;

namespace Dispatcher.Contracts;

/// <summary>
/// A message of a worker on exchange <see cref="Exchanges.Outcomes"/>: 1 to 256 outcomes, at most 1 MiB. The server
/// refuses a larger message as a whole, and its runs count as lost. The AMQP <c>user_id</c> must be the subject of the
/// key that claimed. The server reads each outcome separately: one that cannot be read ends its own attempt with the
/// terminal fault <c>bad_result</c>.
/// </summary>
public sealed record OutcomeBatch
{
    /// <summary>Version of the message format: 1.</summary>
    [JsonPropertyName("v")]
    public int V { get; init; } = 1;

    /// <summary>The outcomes.</summary>
    [JsonPropertyName("outcomes")]
    public required IReadOnlyList<AttemptOutcome> Outcomes { get; init; }
}

/// <summary>
/// How one claimed attempt ended. The server accepts it only for the current attempt and run of the job, and records
/// any other as late.
/// </summary>
public sealed record AttemptOutcome
{
    /// <summary>The id of the job.</summary>
    [JsonPropertyName("job_id")]
    public required Guid JobId { get; init; }

    /// <summary>The number of the attempt, from 1.</summary>
    [JsonPropertyName("attempt")]
    public required int Attempt { get; init; }

    /// <summary>The <c>run_id</c> of the granted claim.</summary>
    [JsonPropertyName("run_id")]
    public required Guid RunId { get; init; }

    /// <summary>Name of the worker instance, as in the claim.</summary>
    [JsonPropertyName("worker")]
    public required string Worker { get; init; }

    /// <summary>The permit's <c>jti</c>.</summary>
    [JsonPropertyName("permit_id")]
    public required Guid PermitId { get; init; }

    /// <summary>How the attempt ended.</summary>
    [JsonPropertyName("kind")]
    public required OutcomeKind Kind { get; init; }

    /// <summary>
    /// For <see cref="OutcomeKind.Succeeded"/>: any JSON value of at most <see cref="JsonLimits.DeepestValue"/> levels,
    /// without duplicate names in an object and without unpaired surrogates. Any other value ends the attempt with
    /// <c>bad_result</c>, so a worker checks it before it sends. A value over 64 KiB is cut and marked. Null: no
    /// result.
    /// </summary>
    [JsonPropertyName("result")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? Result { get; init; }

    /// <summary>For <see cref="OutcomeKind.Faulted"/>: the fault. Null otherwise.</summary>
    [JsonPropertyName("fault")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Fault? Fault { get; init; }

    /// <summary>When the handler began (RFC 3339), by the worker's clock, corrected by <see cref="HeartbeatAnswer.Now"/>.</summary>
    [JsonPropertyName("started_at")]
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>When the handler ended (RFC 3339), by the same clock.</summary>
    [JsonPropertyName("ended_at")]
    public required DateTimeOffset EndedAt { get; init; }
}

/// <summary>How an attempt ended.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<OutcomeKind>))]
public enum OutcomeKind
{
    /// <summary>The handler succeeded.</summary>
    [JsonStringEnumMemberName("succeeded")]
    Succeeded,

    /// <summary>The handler failed; <see cref="AttemptOutcome.Fault"/> describes it.</summary>
    [JsonStringEnumMemberName("faulted")]
    Faulted,

    /// <summary>
    /// The worker gave the attempt back before the handler ran, for example because the worker stops. It does not count
    /// as a retry.
    /// </summary>
    [JsonStringEnumMemberName("returned")]
    Returned,
}

/// <summary>The failure of an attempt.</summary>
public sealed record Fault
{
    /// <summary>The class that the handler states: <c>transient</c> or <c>terminal</c>. Null: not stated.</summary>
    [JsonPropertyName("class")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Class { get; init; }

    /// <summary>The type of the exception or a similar name, at most 256 characters, for example <c>System.IO.IOException</c>.</summary>
    [JsonPropertyName("type")]
    public required string Type { get; init; }

    /// <summary>A description of the failure for people, at most 4,096 characters.</summary>
    [JsonPropertyName("message")]
    public required string Message { get; init; }

    /// <summary>
    /// A code for programs, at most 64 characters: <c>timeout</c>, <c>cancelled</c>, <c>exit:1</c>, <c>http:503</c>.
    /// Null: none.
    /// </summary>
    [JsonPropertyName("code")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Code { get; init; }

    /// <summary>The shortest pause before the next attempt, in milliseconds. Null: not stated.</summary>
    [JsonPropertyName("retry_after_ms")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? RetryAfterMs { get; init; }
}
