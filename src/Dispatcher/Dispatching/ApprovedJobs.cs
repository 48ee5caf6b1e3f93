using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Policies.Model;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Dispatching;

/// <summary>
/// Evaluates the approved jobs of the backlogs again when another bundle comes into force. Their approvals may no longer count, and the
/// next round of approval must not wait until a pool has a free slot.
/// </summary>
internal sealed class ApprovedJobs(IDbContextFactory<DispatcherDb> database, PolicyGate gate, JobDispatch dispatch, CurrentBundle current)
{
    private const int Batch = 100;

    private long _evaluatedFor = -1;

    /// <summary>Evaluates all of them once for each bundle that comes into force. One caller at a time.</summary>
    public async Task ReevaluateAsync(CancellationToken cancellationToken)
    {
        var inForce = current.InForce;
        if (inForce.Bundle is null || inForce.Serial == _evaluatedFor)
        {
            return;
        }

        Guid? last = null;
        do
        {
            last = await ReevaluateAsync(inForce.Hash, last, cancellationToken);
        } while (last is not null);
        _evaluatedFor = inForce.Serial;
    }

    /// <summary>The id of the last job of the batch. Null: there are no more.</summary>
    private async Task<Guid?> ReevaluateAsync(string hash, Guid? after, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var jobs = await db
            .Jobs.AsNoTracking()
            .Where(job => job.State == JobState.Approved && job.PolicyHash != hash && (after == null || job.JobId > after))
            .OrderBy(job => job.JobId)
            .Take(Batch)
            .ToListAsync(cancellationToken);
        foreach (var job in jobs)
        {
            var evaluated = await gate.EvaluateAsync(job, Hop.Dispatch, cancellationToken);
            if (evaluated.Decision.Reason != ReasonCodes.NoBundle)
            {
                await dispatch.HoldOrEndAsync(evaluated, cancellationToken);
            }
        }

        return jobs.Count == Batch ? jobs[^1].JobId : null;
    }
}
