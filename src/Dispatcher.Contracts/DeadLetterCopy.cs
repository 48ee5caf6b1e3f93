using System.Text.Json.Serialization;

namespace Dispatcher.Contracts;

/// <summary>The copy of a dead-lettered job on exchange <see cref="Exchanges.DeadLetter"/> (AMQP type <see cref="MessageTypes.DeadLetter"/>). The store holds the whole.</summary>
public sealed record DeadLetterCopy
{
    /// <summary>Wire version: 1.</summary>
    [JsonPropertyName("v")]
    public int V { get; init; } = 1;

    /// <summary>The dead letter; the AMQP <c>message_id</c> too.</summary>
    [JsonPropertyName("dead_letter_id")]
    public required Guid DeadLetterId { get; init; }

    /// <summary>The job.</summary>
    [JsonPropertyName("job_id")]
    public required Guid JobId { get; init; }

    /// <summary>The job's topic.</summary>
    [JsonPropertyName("topic")]
    public required string Topic { get; init; }

    /// <summary>Who handed the job in.</summary>
    [JsonPropertyName("principal")]
    public required string Principal { get; init; }

    /// <summary>The team that owns it, from the registry.</summary>
    [JsonPropertyName("owner")]
    public required string Owner { get; init; }

    /// <summary>The class of the fault: <c>transient</c>, <c>terminal</c>, <c>unknown</c>, <c>timeout</c>, <c>lost</c>, <c>in_doubt</c>.</summary>
    [JsonPropertyName("fault_class")]
    public required string FaultClass { get; init; }

    /// <summary>What went wrong. Null when nobody reported it.</summary>
    [JsonPropertyName("fault")]
    public Fault? Fault { get; init; }

    /// <summary>The attempt that failed.</summary>
    [JsonPropertyName("attempt")]
    public required int Attempt { get; init; }

    /// <summary>When, by the database's clock (RFC 3339, UTC).</summary>
    [JsonPropertyName("at")]
    public required DateTimeOffset At { get; init; }
}
