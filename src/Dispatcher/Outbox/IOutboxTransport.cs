using Dispatcher.Jobs;

namespace Dispatcher.Outbox;

/// <summary>
/// Sends stored messages to RabbitMQ, or within the process. Sending completes when the broker has confirmed the message. It throws
/// <see cref="MessageRefusedException"/> when the broker refused this message, and any other exception when the broker is unavailable.
/// </summary>
internal interface IOutboxTransport
{
    Task SendAsync(OutboxMessage message, CancellationToken cancellationToken);

    /// <summary>Sends an answer to a reply queue: one try, not stored, not confirmed. Without that queue it is lost.</summary>
    Task ReplyAsync(Reply reply, CancellationToken cancellationToken);
}

/// <summary>An answer to the submitter of a job.</summary>
internal sealed record Reply(string Queue, string? CorrelationId, string Type, byte[] Body);

/// <summary>The broker is available and does not take this message: no queue is bound for it, or the queue is full.</summary>
internal sealed class MessageRefusedException(string message, Exception inner) : Exception(message, inner);
