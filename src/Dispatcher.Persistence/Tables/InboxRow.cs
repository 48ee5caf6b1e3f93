namespace Dispatcher.Persistence.Tables;

/// <summary>This consumer has consumed this message. Times in all tables are microseconds since 1970, so that both databases compare them alike.</summary>
internal sealed class InboxRow
{
    public required Guid MessageId { get; init; }

    /// <summary>Stands for endpoint, consumer and message type: each consumer of a message consumes it once.</summary>
    public required Guid ConsumerId { get; init; }

    public required long ReceivedAt { get; init; }
}
