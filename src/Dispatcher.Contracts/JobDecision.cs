using System.Text.Json.Serialization;

namespace Dispatcher.Contracts;

/// <summary>
/// The decision on a submission that could be read: sent to <c>reply_to</c> (AMQP type
/// <see cref="MessageTypes.Decision"/>), and the body of the answer to <c>POST /api/jobs</c> (202, or 403 when denied).
/// </summary>
public sealed record JobDecision
{
    /// <summary>Version of the message format: 1.</summary>
    [JsonPropertyName("v")]
    public int V { get; init; } = 1;

    /// <summary>
    /// The id of the job. It differs from the submitted id only when another principal already has a job or a denial
    /// under that id.
    /// </summary>
    [JsonPropertyName("job_id")]
    public required Guid JobId { get; init; }

    /// <summary>The state after intake: <c>accepted</c>, <c>held</c>, or <c>denied</c> (then no job is stored).</summary>
    [JsonPropertyName("state")]
    public required JobState State { get; init; }

    /// <summary>The verdict of the policy.</summary>
    [JsonPropertyName("verdict")]
    public required Verdict Verdict { get; init; }

    /// <summary>Ids of the rules that decided, sorted. Empty: no rule matched.</summary>
    [JsonPropertyName("rules")]
    public required IReadOnlyList<string> Rules { get; init; }

    /// <summary>Why: the reason of the rule, or a reason code such as <c>no_match</c>.</summary>
    [JsonPropertyName("reason")]
    public required string Reason { get; init; }

    /// <summary>The limits on the run. Null: none.</summary>
    [JsonPropertyName("constraints")]
    public Constraints? Constraints { get; init; }

    /// <summary>SHA-256 of the bundle that decided, 64 lower-case hex digits. Empty: no bundle was in force.</summary>
    [JsonPropertyName("policy_hash")]
    public required string PolicyHash { get; init; }

    /// <summary>SHA-256 of the job's content, 64 lower-case hex digits.</summary>
    [JsonPropertyName("job_hash")]
    public required string JobHash { get; init; }

    /// <summary>
    /// The approval that the job waits for: job id and round, for example
    /// <c>0197f3a0-7c1e-7b7a-9f53-0d4c2e6a1b11-1</c>. Null: none.
    /// </summary>
    [JsonPropertyName("approval_id")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? ApprovalId { get; init; }
}
