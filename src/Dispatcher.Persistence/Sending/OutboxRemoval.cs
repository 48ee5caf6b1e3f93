using System.Threading.Channels;
using Dispatcher.Persistence.Settings;
using Dispatcher.Persistence.Tables;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Persistence.Sending;

/// <summary>
/// Removes the rows of sent messages in batches, because a commit for each row would cost as much as consuming the message. If a removal is
/// late or lost in a crash, the message may be sent twice; the inbox of the receiver drops the duplicate.
/// </summary>
internal sealed partial class OutboxRemoval<TDbContext>(IServiceScopeFactory scopes, ILogger<OutboxRemoval<TDbContext>> logger)
    : BackgroundService
    where TDbContext : DbContext
{
    private const int Batch = 500;

    private readonly Channel<long> _sent = Channel.CreateUnbounded<long>(new UnboundedChannelOptions { SingleReader = true });

    /// <summary>Queues the rows for removal. When the process is stopping, it removes them before it returns.</summary>
    public async Task RemoveAsync(DbContext db, IReadOnlyCollection<long> sent)
    {
        var late = sent.Where(sequenceNumber => !_sent.Writer.TryWrite(sequenceNumber)).ToList();
        if (late.Count > 0)
        {
            await db.RemoveAsync(late, CancellationToken.None);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // From the stop on, callers remove their rows and this loop removes the rest. So after an orderly stop nothing is sent twice.
        await using var stop = stoppingToken.Register(() => _sent.Writer.TryComplete());
        var batch = new List<long>(Batch);
        while (await _sent.Reader.WaitToReadAsync(CancellationToken.None))
        {
            batch.Clear();
            while (batch.Count < Batch && _sent.Reader.TryRead(out var next))
            {
                batch.Add(next);
            }

            await RemoveAsync(batch);
        }
    }

    private async Task RemoveAsync(List<long> batch)
    {
        try
        {
            await using var scope = scopes.CreateAsyncScope();
            await scope.ServiceProvider.GetRequiredService<TDbContext>().RemoveAsync(batch, CancellationToken.None);
        }
#pragma warning disable CA1031 // The loop must survive any failure of one round.
        catch (Exception reason)
#pragma warning restore CA1031
        {
            // The delivery loop takes the rows when their lease ends.
            Log.NotRemoved(logger, batch.Count, reason);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(
            PersistenceEventIds.NotRemoved,
            LogLevel.Warning,
            "Failed to remove {Count} sent messages from the outbox; they will be sent again"
        )]
        public static partial void NotRemoved(ILogger logger, int count, Exception reason);
    }
}
