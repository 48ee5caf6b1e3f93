using Dispatcher.Base;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Approvals;

/// <summary>Measures how many jobs wait for people, and for how long.</summary>
internal sealed class ApprovalQueue(
    IDbContextFactory<DispatcherDb> database,
    StoreClock clock,
    DispatcherMetrics metrics,
    TimeProvider time,
    ILogger<ApprovalQueue> logger
) : Loop(TimeSpan.FromSeconds(5), time, logger)
{
    public override async Task OnceAsync(CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var held = db
            .Approvals.Where(approval => approval.State == ApprovalStates.Held)
            .OrderBy(approval => approval.CreatedAt)
            .Select(approval => (long?)approval.CreatedAt);
        var count = await held.CountAsync(cancellationToken);
        var oldest = await held.FirstOrDefaultAsync(cancellationToken);
        var median = await held.Skip(count / 2).FirstOrDefaultAsync(cancellationToken);
        var now = clock.Now;
        metrics.ApprovalsWait(count, Waited(median), Waited(oldest));

        TimeSpan Waited(long? since) => since is null ? TimeSpan.Zero : TimeSpan.FromMicroseconds(Math.Max(0, now - since.Value));
    }
}
