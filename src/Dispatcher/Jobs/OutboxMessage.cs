namespace Dispatcher.Jobs;

/// <summary>A message to be sent after the commit that stored it: final bytes and routing, so that sending needs nothing else.</summary>
internal sealed record OutboxMessage
{
    /// <summary>Time in which only the relay sends a new row. After it, the outbox sweeper takes the row.</summary>
    public static readonly TimeSpan RelayHeadStart = TimeSpan.FromSeconds(10);

    /// <summary>The row's key and the AMQP <c>message_id</c>, so that a receiver can drop what was sent twice.</summary>
    public required Guid MessageId { get; init; }

    /// <summary>The exchange; empty for the default exchange, whose routing key is a queue's name.</summary>
    public required string Exchange { get; init; }

    public required string RoutingKey { get; init; }

    /// <summary>Whether it is a fault when no queue takes it.</summary>
    public required bool Mandatory { get; init; }

    /// <summary>The AMQP <c>type</c> property.</summary>
    public required string Type { get; init; }

    public required byte[] Body { get; init; }

    /// <summary>AMQP headers, all strings. Empty: none.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();

    /// <summary>Nobody can use it after that time, microseconds since 1970: it is not sent, and the broker drops it from its queue. Null: it keeps.</summary>
    public long? ExpiresAt { get; init; }

    /// <summary>How often sending has failed.</summary>
    public int Attempts { get; init; }

    /// <summary>When the sweeper may take it, microseconds since 1970. The relay, which has it in memory, is faster as a rule.</summary>
    public long NextAt { get; init; }

    public string? LastError { get; init; }

    /// <summary>It failed too often; the sweeper leaves it to a person.</summary>
    public bool Parked { get; init; }
}
