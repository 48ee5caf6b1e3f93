using System.Text.Json.Serialization;

namespace Dispatcher.Contracts;

/// <summary>
/// The copy of a dead letter on exchange <see cref="Exchanges.DeadLetter"/> (AMQP type
/// <see cref="MessageTypes.DeadLetter"/>). It has no payload. <c>GET /api/dead-letters/{id}</c> returns the submitted
/// bytes to an operator.
/// </summary>
public sealed record DeadLetterCopy
{
    /// <summary>Version of the message format: 1.</summary>
    [JsonPropertyName("v")]
    public int V { get; init; } = 1;

    /// <summary>The id of the dead letter. For a job it is the AMQP <c>message_id</c> too.</summary>
    [JsonPropertyName("dead_letter_id")]
    public required Guid DeadLetterId { get; init; }

    /// <summary>The id of the job. Null: the message could not be read, so there is no job.</summary>
    [JsonPropertyName("job_id")]
    public Guid? JobId { get; init; }

    /// <summary>The topic of the job. For a message that could not be read: its routing key.</summary>
    [JsonPropertyName("topic")]
    public required string Topic { get; init; }

    /// <summary>The principal that submitted the job.</summary>
    [JsonPropertyName("principal")]
    public required string Principal { get; init; }

    /// <summary>
    /// The team that owns the topic, from <c>topics.yaml</c>; <c>dispatcher</c> for <c>malformed</c> and <c>poison</c>.
    /// </summary>
    [JsonPropertyName("owner")]
    public required string Owner { get; init; }

    /// <summary>
    /// The class of the fault: <c>transient</c>, <c>terminal</c>, <c>unknown</c>, <c>timeout</c>, <c>lost</c>,
    /// <c>in_doubt</c>; for a message that could not be read, <c>malformed</c> or <c>poison</c>.
    /// </summary>
    [JsonPropertyName("fault_class")]
    public required string FaultClass { get; init; }

    /// <summary>The fault of the last attempt. Null: none was reported.</summary>
    [JsonPropertyName("fault")]
    public Fault? Fault { get; init; }

    /// <summary>
    /// For a message that could not be read: the codes of its errors. The store keeps the full errors, because they
    /// quote the message. Null: this is a job.
    /// </summary>
    [JsonPropertyName("error_codes")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? ErrorCodes { get; init; }

    /// <summary>The attempt that failed, from 1. 0: the message could not be read.</summary>
    [JsonPropertyName("attempt")]
    public required int Attempt { get; init; }

    /// <summary>When the job was set aside, by the database's clock (RFC 3339, UTC).</summary>
    [JsonPropertyName("at")]
    public required DateTimeOffset At { get; init; }
}
