using Dispatcher.Base;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Approvals;

/// <summary>Measures how many approvals are held, and how long the median and the oldest of them have waited.</summary>
internal sealed class ApprovalWaitMetrics(
    IDbContextFactory<DispatcherDb> database,
    StoreClock clock,
    DispatcherMetrics metrics,
    TimeProvider time,
    ILogger<ApprovalWaitMetrics> logger
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
