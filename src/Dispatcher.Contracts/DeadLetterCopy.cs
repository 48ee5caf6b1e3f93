using System.Text.Json.Serialization;

namespace Dispatcher.Contracts;

/// <summary>
/// The copy of a dead letter on exchange <see cref="Exchanges.DeadLetter"/> (AMQP type <see cref="MessageTypes.DeadLetter"/>).
/// It only refers to what was submitted: the store has that, and <c>GET /api/dead-letters/{id}</c> returns it to an operator.
/// </summary>
public sealed record DeadLetterCopy
{
    /// <summary>Wire version: 1.</summary>
    [JsonPropertyName("v")]
    public int V { get; init; } = 1;

    /// <summary>The dead letter. For a job the AMQP <c>message_id</c> too.</summary>
    [JsonPropertyName("dead_letter_id")]
    public required Guid DeadLetterId { get; init; }

    /// <summary>The job. Null for a submission or another message that could not be read: it is no job.</summary>
    [JsonPropertyName("job_id")]
    public Guid? JobId { get; init; }

    /// <summary>The job's topic; for what could not be read, the routing key.</summary>
    [JsonPropertyName("topic")]
    public required string Topic { get; init; }

    /// <summary>Who handed the job in.</summary>
    [JsonPropertyName("principal")]
    public required string Principal { get; init; }

    /// <summary>The team that owns it, from the registry.</summary>
    [JsonPropertyName("owner")]
    public required string Owner { get; init; }

    /// <summary>The class of the fault: <c>transient</c>, <c>terminal</c>, <c>unknown</c>, <c>timeout</c>, <c>lost</c>, <c>in_doubt</c>;
    /// for what could not be read, <c>malformed</c> or <c>poison</c>.</summary>
    [JsonPropertyName("fault_class")]
    public required string FaultClass { get; init; }

    /// <summary>What went wrong. Null when nobody reported it.</summary>
    [JsonPropertyName("fault")]
    public Fault? Fault { get; init; }

    /// <summary>
    /// For what could not be read: the codes of its errors. The errors themselves quote it and are only in the store. Null for a job.
    /// </summary>
    [JsonPropertyName("error_codes")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? ErrorCodes { get; init; }

    /// <summary>The attempt that failed; 0 for what could not be read.</summary>
    [JsonPropertyName("attempt")]
    public required int Attempt { get; init; }

    /// <summary>When, by the database's clock (RFC 3339, UTC).</summary>
    [JsonPropertyName("at")]
    public required DateTimeOffset At { get; init; }
}
