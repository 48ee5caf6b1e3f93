using Dispatcher.Health;
using Dispatcher.Hosting;
using Dispatcher.Storing;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Approvals;

/// <summary>Measures how many jobs wait for people, and for how long.</summary>
internal sealed class ApprovalQueue(IDbContextFactory<DispatcherDb> database, StoreClock clock, DispatcherMetrics metrics, TimeProvider time, ILogger<ApprovalQueue> logger)
    : Loop(TimeSpan.FromSeconds(5), time, logger)
{
    public override async Task OnceAsync(CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var since = await db.Approvals.Where(approval => approval.State == ApprovalStates.Held).OrderBy(approval => approval.CreatedAt).Select(approval => approval.CreatedAt).ToListAsync(cancellationToken);
        var now = clock.Now;
        metrics.ApprovalsWait(since.Count, Waited(since.Count / 2), Waited(0));

        TimeSpan Waited(int index) => since.Count == 0 ? TimeSpan.Zero : TimeSpan.FromMicroseconds(Math.Max(0, now - since[index]));
    }
}
