using Dispatcher.Base;
using Dispatcher.Jobs;
using Dispatcher.Storage;

namespace Dispatcher.Outbox;

/// <summary>Sends the outbox messages that no relay sent: of processes that died, and those whose sending failed before.</summary>
internal sealed class OutboxSweeper(IStore store, Relay relay, JobMetrics metrics, TimeProvider time, ILogger<OutboxSweeper> logger)
    : Loop(TimeSpan.FromSeconds(1), time, logger)
{
    /// <summary>A work message has up to 384 KiB, so a batch of the largest has 40 MB.</summary>
    private const int Batch = 100;
    private static readonly TimeSpan Postpone = TimeSpan.FromSeconds(10);

    // :: Step 9
    public override async Task OnceAsync(CancellationToken cancellationToken)
    {
        IReadOnlyList<OutboxMessage> due;
        do
        {
            due = await store.TakeOutboxAsync(Batch, Postpone, cancellationToken);
            var sent = await relay.SendAsync(due, cancellationToken);
            if (sent > 0)
            {
                metrics.Repaired("message", sent);
            }
        } while (due.Count == Batch);
    }
}
