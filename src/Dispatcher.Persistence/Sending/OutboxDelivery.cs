using Dispatcher.Persistence.Settings;
using Dispatcher.Persistence.Tables;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Dispatcher.Persistence.Sending;

/// <summary>
/// Sends the due messages of the outbox table: messages from outside consumers, delayed ones, those that failed before, and those of
/// processes that died. Any number of processes may run it: a process takes a row with a lease, which outlasts its attempt to send. No
/// transaction is open while it sends.
/// </summary>
internal sealed class OutboxDelivery<TDbContext>(
    IServiceScopeFactory scopes,
    IBus bus,
    OutboxSender<TDbContext> sender,
    OutboxSignal<TDbContext> signal,
    IOptionsMonitor<OutboxOptions> options,
    TimeProvider clock,
    ILogger<OutboxDelivery<TDbContext>> logger
) : OutboxLoop(signal, options.Get(typeof(TDbContext).Name).Period, clock, logger)
    where TDbContext : DbContext
{
    /// <summary>Enough to keep a broker with confirms busy, and few enough to be sent within one lease.</summary>
    private const int Batch = 200;

    private readonly OutboxOptions _options = options.Get(typeof(TDbContext).Name);
    private readonly TimeProvider _clock = clock;

    public override async Task<bool> OnceAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<TDbContext>();
        var rows = await db.TakeDueAsync(Batch, _clock.GetUtcNow(), _options.Lease, cancellationToken);

        // Concurrently, so that one failing send does not delay the others, and the confirms of the broker arrive together.
        var faults = await Task.WhenAll(rows.Select(row => sender.TrySendAsync(bus, row)));

        // Not cancelled: a sent message whose row is not removed would be sent again.
        var sent = rows.Where((_, i) => faults[i] is null).Select(row => row.SequenceNumber).ToList();
        if (sent.Count > 0)
        {
            await db.RemoveAsync(sent, CancellationToken.None);
        }

        foreach (var (row, fault) in rows.Zip(faults).Where(pair => pair.Second is not null))
        {
            await sender.DeferAsync(db, row, fault!, CancellationToken.None);
        }

        return rows.Count == Batch;
    }
}
