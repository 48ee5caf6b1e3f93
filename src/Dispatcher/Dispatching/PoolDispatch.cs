using Dispatcher.Base;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Policies.Model;

namespace Dispatcher.Dispatching;

/// <summary>
/// The dispatch use case of one pool: takes the lease on the pool and reads its next jobs, evaluates them, and dispatches them. The lease
/// is held until the jobs are dispatched, so that they leave in order. Steps: see Hosting/Server.cs.
/// </summary>
internal sealed class PoolDispatch(PoolLeases leases, PolicyGate gate, JobDispatch dispatch)
{
    /// <summary>
    /// Takes the lease and evaluates the next jobs. The caller disposes the result. Null: no job of the pool may be dispatched now.
    /// </summary>
    public async Task<EvaluatedBacklog?> EvaluateAsync(string pool, CancellationToken cancellationToken)
    {
        // :: Step 4
        if (await leases.TakeAsync(pool, cancellationToken) is not { } lease)
        {
            return null;
        }

        EvaluatedBacklog? backlog = null;
        try
        {
            // :: Step 5
            var jobs = await EvaluateAsync(lease.Jobs, cancellationToken);
            return backlog = jobs.Count == 0 ? null : new EvaluatedBacklog(pool, jobs, lease);
        }
        finally
        {
            if (backlog is null)
            {
                await lease.DisposeAsync();
            }
        }
    }

    /// <summary>Dispatches each job separately.</summary>
    // :: Step 6
    public Task DispatchAsync(EvaluatedBacklog backlog, CancellationToken cancellationToken) =>
        Task.WhenAll(backlog.Jobs.Select(evaluated => dispatch.DispatchAsync(evaluated, cancellationToken)));

    /// <summary>
    /// Skips the jobs while no bundle can be read: they are neither dispatched nor denied. The sweep signals the pool again.
    /// </summary>
    private async Task<IReadOnlyList<Evaluated<Job>>> EvaluateAsync(IReadOnlyList<Job> jobs, CancellationToken cancellationToken)
    {
        var evaluated = new List<Evaluated<Job>>(jobs.Count);
        foreach (var job in jobs)
        {
            var next = await gate.EvaluateAsync(job, Hop.Dispatch, cancellationToken);
            if (next.Decision.Reason != ReasonCodes.NoBundle)
            {
                evaluated.Add(next);
            }
        }

        return evaluated;
    }
}

/// <summary>The next jobs of a pool after their evaluation, with the lease on the pool.</summary>
/// <param name="Pool">The pool.</param>
/// <param name="Jobs">In order; at least one.</param>
/// <param name="Lease">Held until this is disposed.</param>
internal sealed record EvaluatedBacklog(string Pool, IReadOnlyList<Evaluated<Job>> Jobs, PoolLease Lease) : IAsyncDisposable
{
    public ValueTask DisposeAsync() => Lease.DisposeAsync();
}
