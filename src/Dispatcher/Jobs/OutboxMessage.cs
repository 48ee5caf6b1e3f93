namespace Dispatcher.Jobs;

/// <summary>
/// A message that is stored with a commit and sent after it. It has the final bytes and routing; sending reads no other row.
/// </summary>
internal sealed record OutboxMessage
{
    /// <summary>Time in which only the relay sends a new row. After it, <c>OutboxSweeper</c> takes the row.</summary>
    public static readonly TimeSpan RelayHeadStart = TimeSpan.FromSeconds(10);

    /// <summary>Key of the row, and the AMQP <c>message_id</c> by which a receiver drops a second delivery.</summary>
    public required Guid MessageId { get; init; }

    /// <summary>The exchange. Empty: the default exchange, where the routing key is the name of a queue.</summary>
    public required string Exchange { get; init; }

    public required string RoutingKey { get; init; }

    /// <summary>Whether sending fails when no queue takes the message.</summary>
    public required bool Mandatory { get; init; }

    /// <summary>The AMQP <c>type</c> property.</summary>
    public required string Type { get; init; }

    public required byte[] Body { get; init; }

    /// <summary>AMQP headers, all strings. Empty: none.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();

    /// <summary>
    /// End of its use, microseconds since 1970: after it the message is not sent, and the broker drops it from its queue. Null: no end.
    /// </summary>
    public long? ExpiresAt { get; init; }

    /// <summary>How often sending has failed.</summary>
    public int Attempts { get; init; }

    /// <summary>When the sweeper may take the row, microseconds since 1970. Usually the relay has sent it before.</summary>
    public long NextAt { get; init; }

    public string? LastError { get; init; }

    /// <summary>Sending failed too often: the sweeper no longer takes the row, and an operator has to act.</summary>
    public bool Parked { get; init; }
}
