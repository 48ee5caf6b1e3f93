using System.Text.Json.Serialization;

namespace Dispatcher.Contracts;

/// <summary>The answer to a submission that could be read: to <c>reply_to</c> (AMQP type <see cref="MessageTypes.Decision"/>) and as the body of <c>POST /api/jobs</c> (202, or 403 when denied).</summary>
public sealed record JobDecision
{
    /// <summary>Wire version: 1.</summary>
    [JsonPropertyName("v")]
    public int V { get; init; } = 1;

    /// <summary>The job. Another id than the one handed in exactly when another principal has a job or a denial under that one.</summary>
    [JsonPropertyName("job_id")]
    public required Guid JobId { get; init; }

    /// <summary>The state it got: <c>accepted</c>, <c>held</c>, or <c>denied</c> (then no job is stored).</summary>
    [JsonPropertyName("state")]
    public required JobState State { get; init; }

    /// <summary>What the policy said.</summary>
    [JsonPropertyName("verdict")]
    public required Verdict Verdict { get; init; }

    /// <summary>The rules that decided, by id, sorted. Empty when no rule matched.</summary>
    [JsonPropertyName("rules")]
    public required IReadOnlyList<string> Rules { get; init; }

    /// <summary>Why, in words or as a code such as <c>no_match</c>, <c>unknown_topic</c>, <c>payload_invalid</c>, <c>label_conflict</c>, <c>not_enforceable</c>, <c>engine_error</c>, <c>no_bundle</c>.</summary>
    [JsonPropertyName("reason")]
    public required string Reason { get; init; }

    /// <summary>The limits on the run. Null: none.</summary>
    [JsonPropertyName("constraints")]
    public Constraints? Constraints { get; init; }

    /// <summary>SHA-256 of the bundle that decided, 64 lower-case hex digits; empty when there was none.</summary>
    [JsonPropertyName("policy_hash")]
    public required string PolicyHash { get; init; }

    /// <summary>SHA-256 of the job's content, 64 lower-case hex digits.</summary>
    [JsonPropertyName("job_hash")]
    public required string JobHash { get; init; }

    /// <summary>The approval the job waits for: job id and round, for example <c>0197…-1</c>. Null: none.</summary>
    [JsonPropertyName("approval_id")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? ApprovalId { get; init; }
}
