using Dispatcher.Persistence.Tables;
using MassTransit;
using MassTransit.Middleware;
using MassTransit.Middleware.Outbox;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Persistence.Consuming;

/// <summary>What a consumer gets: its sends are kept, and become rows together with everything else that it writes.</summary>
internal sealed partial class CapturingConsumeContext<TMessage>(
    ConsumeContext<TMessage> context,
    OutboxConsumeOptions options,
    IServiceProvider services,
    OutboxScope scope,
    InboxRow cause
) : OutboxConsumeContextProxy<TMessage>(context, options, services)
    where TMessage : class
{
    private readonly List<OutboxRow> _captured = [];
    private bool _consumed;

    public override Guid? MessageId => cause.MessageId;

    public override bool ContinueProcessing { get; set; } = true;

    public override bool IsMessageConsumed => _consumed;

    /// <summary>MassTransit's pipe would send before it reports the message as consumed, and fail it when a send fails. The outbox sends by itself, after the commit.</summary>
    public override bool IsOutboxDelivered => _consumed;

    public override int ReceiveCount => 1;

    public override long? LastSequenceNumber => null;

    /// <summary>In the order in which they were sent; to be read after <see cref="SetConsumed"/>.</summary>
    public IReadOnlyList<OutboxRow> Captured => _captured;

    /// <summary>Kept apart from the context until the consumer is done: it may send from several tasks, and a DbContext is for one.</summary>
    public override Task AddSend<T>(SendContext<T> context)
    {
        lock (_captured)
        {
            if (!_consumed)
            {
                _captured.Add(OutboxRow.From(context, cause.MessageId, scope.Clock.GetUtcNow(), scope.Options.Lease));
                return Task.CompletedTask;
            }
        }

        // Thrown into a task that nobody awaits, which is how it came late: so it is logged too.
        Log.LateSend(scope.Logger, typeof(T).FullName!, cause.MessageId, Options.ConsumerType);
        throw new InvalidOperationException(
            $"{Options.ConsumerType} sent a {typeof(T).Name} after it had consumed message {cause.MessageId}; it is lost. Await every Send, Publish and Respond before Consume returns."
        );
    }

    public override Task SetConsumed()
    {
        Close();
        scope.Db.AddRange(_captured);
        return scope.Db.SaveBeforeCommitAsync(CancellationToken);
    }

    /// <summary>From here on a send would miss the commit.</summary>
    public void Close()
    {
        lock (_captured)
        {
            _consumed = true;
        }
    }

    public override Task SetDelivered() => Task.CompletedTask;

    public override Task<List<OutboxMessageContext>> LoadOutboxMessages() => Task.FromResult(new List<OutboxMessageContext>());

    public override Task NotifyOutboxMessageDelivered(OutboxMessageContext message) => Task.CompletedTask;

    public override Task RemoveOutboxMessages() => Task.CompletedTask;

    private static partial class Log
    {
        [LoggerMessage(
            PersistenceEventIds.LateSend,
            LogLevel.Error,
            "A {MessageType} is lost: it was sent after message {MessageId} had been consumed by {Consumer}, by a task that Consume does not await"
        )]
        public static partial void LateSend(ILogger logger, string messageType, Guid messageId, string consumer);
    }
}

/// <summary>What the contexts of one outbox share within a scope.</summary>
internal sealed record OutboxScope(DbContext Db, OutboxOptions Options, TimeProvider Clock, ILogger Logger);
