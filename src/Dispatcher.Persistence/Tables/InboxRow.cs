namespace Dispatcher.Persistence.Tables;

/// <summary>
/// Records that a consumer has consumed a message. Times in all tables are microseconds since 1970, because PostgreSQL and SQLite compare
/// numbers in the same way.
/// </summary>
internal sealed class InboxRow
{
    public required Guid MessageId { get; init; }

    /// <summary>Identifies endpoint, consumer and message type. Each consumer of a message consumes it once.</summary>
    public required Guid ConsumerId { get; init; }

    public required long ReceivedAt { get; init; }
}
