using System.Text.Json;
using System.Text.Json.Serialization;

namespace Dispatcher.Contracts;

/// <summary>
/// A submission: a message on exchange <see cref="Exchanges.Jobs"/> or the body of <c>POST /api/jobs</c>. UTF-8 JSON with
/// at most 256 KiB of payload. Unknown members, duplicate keys, U+0000 and unpaired surrogates are refused.
/// </summary>
/// <remarks>
/// The id of the job is <see cref="JobId"/>. If that is missing, it is a UUIDv5 of the principal and
/// <see cref="IdempotencyKey"/>, or else of the principal and the AMQP <c>message_id</c>. Over AMQP one of the three is
/// required, and <c>user_id</c> is required too: it is the principal. If another principal already has the id, the job gets
/// a different one, which <see cref="JobDecision.JobId"/> names.
/// </remarks>
public sealed record SubmitJob
{
    /// <summary>Version of the message format: 1. May be left out.</summary>
    [JsonPropertyName("v")]
    public int V { get; init; } = 1;

    /// <summary>
    /// The id of the job: any UUID except one of version 8. The same id with the same content is answered as the first
    /// time; with other content it is a conflict. Null: derived from the key or from the AMQP message id.
    /// </summary>
    [JsonPropertyName("job_id")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Guid? JobId { get; init; }

    /// <summary>
    /// The kind of work, for example <c>job.exec.shell</c>: 2 to 8 segments of <c>[a-z0-9_-]</c>, separated by dots, at
    /// most 128 characters. Over AMQP the routing key must equal it.
    /// </summary>
    [JsonPropertyName("topic")]
    public required string Topic { get; init; }

    /// <summary>
    /// Facts for the policy, for example <c>{"env": "dev"}</c>. At most 64; a key has at most 64 and a value at most
    /// 256 characters. Keys that start with <c>sys.</c>, <c>approval.</c> or <c>approval_</c> are refused.
    /// </summary>
    [JsonPropertyName("labels")]
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();

    /// <summary>
    /// Risks that the producer names, for example <c>["egress"]</c>. They are added to the tags of the topic. At most
    /// 32 of at most 64 characters.
    /// </summary>
    [JsonPropertyName("risk_tags")]
    public IReadOnlyList<string> RiskTags { get; init; } = [];

    /// <summary>
    /// The input of the handler, kept byte for byte. Any JSON value of at most <see cref="JsonLimits.DeepestValue"/>
    /// levels; null or missing means <c>{}</c>.
    /// </summary>
    [JsonPropertyName("payload")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? Payload { get; init; }

    /// <summary>
    /// The producer's key for this job, at most 128 characters. The same key with other content is a conflict. Null:
    /// none.
    /// </summary>
    [JsonPropertyName("idempotency_key")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? IdempotencyKey { get; init; }

    /// <summary>The workflow that this job is a step of, at most 128 characters. Null: none.</summary>
    [JsonPropertyName("workflow_id")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? WorkflowId { get; init; }

    /// <summary>The expected cost of the job. Null: unknown.</summary>
    [JsonPropertyName("estimated_cost")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public EstimatedCost? EstimatedCost { get; init; }

    /// <summary>
    /// The latest time at which the job may start (RFC 3339, with an offset). After it, the job becomes
    /// <see cref="JobState.Expired"/>. Null: no limit.
    /// </summary>
    [JsonPropertyName("not_after")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? NotAfter { get; init; }
}

/// <summary>An estimate in whole units. Negative numbers are refused.</summary>
public sealed record EstimatedCost
{
    /// <summary>Model tokens.</summary>
    [JsonPropertyName("tokens")]
    public long Tokens { get; init; }

    /// <summary>Millionths of a US dollar.</summary>
    [JsonPropertyName("usd_micros")]
    public long UsdMicros { get; init; }
}
