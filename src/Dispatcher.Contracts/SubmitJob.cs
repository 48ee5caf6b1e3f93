using System.Text.Json;
using System.Text.Json.Serialization;

namespace Dispatcher.Contracts;

/// <summary>
/// A job handed in, on exchange <see cref="Exchanges.Jobs"/> or as the body of <c>POST /api/jobs</c>. UTF-8 JSON, at most 256 KiB of payload.
/// Unknown members, duplicate keys, U+0000 and lone surrogates are refused.
/// </summary>
/// <remarks>
/// Identity: <see cref="JobId"/>, else a UUIDv5 of principal and <see cref="IdempotencyKey"/>, else one of principal and AMQP <c>message_id</c>.
/// Over AMQP one of the three is required, and so is <c>user_id</c>: it is the principal. When another principal has the id already, the
/// job gets one of its own,
/// which <see cref="JobDecision.JobId"/> names.
/// </remarks>
public sealed record SubmitJob
{
    /// <summary>Wire version: 1. May be left out.</summary>
    [JsonPropertyName("v")]
    public int V { get; init; } = 1;

    /// <summary>
    /// The job's id. Null: derived from the key, or from the AMQP message id. Handing in the same id again with the same content is answered as the first time; with
    /// other content it is a conflict. Any UUID but one of version 8.
    /// </summary>
    [JsonPropertyName("job_id")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Guid? JobId { get; init; }

    /// <summary>The kind of work, for example <c>job.exec.shell</c>: 2 to 8 dot-separated segments of <c>[a-z0-9_-]</c>, at most 128 characters. Over AMQP the routing key must equal it.</summary>
    [JsonPropertyName("topic")]
    public required string Topic { get; init; }

    /// <summary>Facts for the policy, for example <c>{"env": "dev"}</c>. At most 64; key at most 64 and value at most 256 characters; keys starting <c>sys.</c> or <c>approval.</c> are refused.</summary>
    [JsonPropertyName("labels")]
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();

    /// <summary>Risks the producer names, for example <c>["egress"]</c>. The registry adds the topic's own; a producer can only add. At most 32 of at most 64 characters.</summary>
    [JsonPropertyName("risk_tags")]
    public IReadOnlyList<string> RiskTags { get; init; } = [];

    /// <summary>
    /// What the worker gets, kept byte for byte. Any JSON value of at most <see cref="JsonLimits.DeepestValue"/> levels; null or missing
    /// means <c>{}</c>.
    /// </summary>
    [JsonPropertyName("payload")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? Payload { get; init; }

    /// <summary>The producer's own key for this job, at most 128 characters. The same key with other content is a conflict.</summary>
    [JsonPropertyName("idempotency_key")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? IdempotencyKey { get; init; }

    /// <summary>The workflow this job is a step of, at most 128 characters. Null: none.</summary>
    [JsonPropertyName("workflow_id")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? WorkflowId { get; init; }

    /// <summary>What the job is expected to cost. Null: unknown.</summary>
    [JsonPropertyName("estimated_cost")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public EstimatedCost? EstimatedCost { get; init; }

    /// <summary>The job must have started by then, else it becomes <see cref="JobState.Expired"/> (RFC 3339, with an offset). Null: no limit.</summary>
    [JsonPropertyName("not_after")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? NotAfter { get; init; }
}

/// <summary>An estimate in whole units, never negative.</summary>
public sealed record EstimatedCost
{
    /// <summary>Model tokens.</summary>
    [JsonPropertyName("tokens")]
    public long Tokens { get; init; }

    /// <summary>Millionths of a US dollar.</summary>
    [JsonPropertyName("usd_micros")]
    public long UsdMicros { get; init; }
}
