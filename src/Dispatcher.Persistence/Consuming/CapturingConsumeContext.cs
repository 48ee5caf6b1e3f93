using Dispatcher.Persistence.Settings;
using Dispatcher.Persistence.Tables;
using MassTransit;
using MassTransit.Middleware;
using MassTransit.Middleware.Outbox;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Persistence.Consuming;

/// <summary>The context of a consumer. It keeps the sends in memory, and writes them as rows in the flush of the consumer.</summary>
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

    /// <summary>
    /// True as soon as the consumer is done. Otherwise the pipe of MassTransit would send before it reports the message as consumed, and
    /// fail the message if a send fails. This outbox sends by itself, after the commit.
    /// </summary>
    public override bool IsOutboxDelivered => _consumed;

    public override int ReceiveCount => 1;

    public override long? LastSequenceNumber => null;

    /// <summary>The captured sends in their order. Read it after <see cref="SetConsumed"/>.</summary>
    public IReadOnlyList<OutboxRow> Captured => _captured;

    /// <summary>
    /// Keeps the row apart from the <c>DbContext</c> until the consumer is done, because a consumer may send from several tasks and a
    /// <c>DbContext</c> is for one.
    /// </summary>
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

        // Logged too, because the exception ends a task that the consumer does not await.
        Log.LateSend(scope.Logger, typeof(T).FullName!, Options.ConsumerType, cause.MessageId);
        throw new InvalidOperationException(
            $"{Options.ConsumerType} sent a {typeof(T).Name} after it had consumed message {cause.MessageId}; it is lost. "
                + "Await every Send, Publish and Respond before Consume returns."
        );
    }

    public override Task SetConsumed()
    {
        Close();
        scope.Db.AddRange(_captured);
        return scope.Db.SaveBeforeCommitAsync(CancellationToken);
    }

    /// <summary>Refuses further sends, which would miss the commit.</summary>
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
            "A {MessageType} is lost: {Consumer} sent it after it had consumed message {MessageId}, in a task that Consume does not await"
        )]
        public static partial void LateSend(ILogger logger, string messageType, string consumer, Guid messageId);
    }
}

/// <summary>The services that the contexts of one outbox share within a scope.</summary>
internal sealed record OutboxScope(DbContext Db, OutboxOptions Options, TimeProvider Clock, ILogger Logger);
