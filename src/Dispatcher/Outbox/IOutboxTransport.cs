using Dispatcher.Jobs;

namespace Dispatcher.Outbox;

/// <summary>
/// Sends stored messages: to RabbitMQ, or within the process. Completes when the message is safe; throws <see cref="MessageRefusedException"/> when this message
/// was refused, anything else when the broker is away.
/// </summary>
internal interface IOutboxTransport
{
    Task SendAsync(OutboxMessage message, CancellationToken cancellationToken);

    /// <summary>Sends an answer to a reply queue: one try, not stored, not confirmed, lost when nobody waits.</summary>
    Task ReplyAsync(Reply reply, CancellationToken cancellationToken);
}

/// <summary>An answer to whoever handed a job in.</summary>
internal sealed record Reply(string Queue, string? CorrelationId, string Type, byte[] Body);

/// <summary>The broker is there but does not take this message: no queue wants it, or the queue is full.</summary>
internal sealed class MessageRefusedException(string message, Exception inner) : Exception(message, inner);
