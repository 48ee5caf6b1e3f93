using System.Threading.Channels;
using Dispatcher.Persistence.Tables;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Persistence.Sending;

/// <summary>
/// Removes sent messages, as many as have come together in one statement: a commit for each would cost as much as consuming it. The inbox guards against
/// consuming twice; a removal that is late, or lost in a crash, only means that a message may be sent twice.
/// </summary>
internal sealed partial class OutboxRemoval<TDbContext>(IServiceScopeFactory scopes, ILogger<OutboxRemoval<TDbContext>> logger)
    : BackgroundService
    where TDbContext : DbContext
{
    private const int Batch = 500;

    private readonly Channel<long> _sent = Channel.CreateUnbounded<long>(new UnboundedChannelOptions { SingleReader = true });

    /// <summary>Soon, or before it returns when the process is stopping.</summary>
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
        // From then on everybody removes his own, and the rest is removed here: an orderly stop leaves nothing that would be sent twice.
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
#pragma warning disable CA1031 // The loop must live, whatever one round ran into.
        catch (Exception reason)
#pragma warning restore CA1031
        {
            // The delivery loop finds the rows when their time comes.
            Log.NotRemoved(logger, batch.Count, reason);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(
            PersistenceEventIds.NotRemoved,
            LogLevel.Warning,
            "{Count} sent messages could not be removed from the outbox and will be sent again"
        )]
        public static partial void NotRemoved(ILogger logger, int count, Exception reason);
    }
}
