using System.Collections.Concurrent;
using Dispatcher.Worker.Pools;

namespace Dispatcher.Worker.Running;

/// <summary>The runs of one pool that need heartbeats: the running ones, and those whose outcome is not sent yet.</summary>
internal sealed class ClaimedRuns(TimeProvider clock) : IDisposable
{
    private readonly ConcurrentDictionary<Guid, (ClaimedRun Run, TaskCompletionSource Ended)> _runs = new();
    private readonly SemaphoreSlim _added = new(0);

    public IReadOnlyList<ClaimedRun> All => [.. _runs.Values.Select(live => live.Run)];

    public void Add(ClaimedRun run)
    {
        _runs[run.RunId] = (run, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        _added.Release();
    }

    /// <summary>The handler has ended, and the sender has the outcome.</summary>
    public void HasEnded(ClaimedRun run)
    {
        // Absent when the outcome is sent already.
        if (_runs.TryGetValue(run.RunId, out var live))
        {
            live.Ended.TrySetResult();
        }
    }

    /// <summary>The run has ended and needs no lease any more.</summary>
    public void Remove(ClaimedRun run)
    {
        if (_runs.TryRemove(run.RunId, out var live))
        {
            live.Ended.TrySetResult();
            run.Dispose();
        }
    }

    /// <summary>Waits until a run is added or the time is over.</summary>
    public Task WaitForNextAsync(TimeSpan atMost, CancellationToken cancellationToken) =>
        _added.WaitAsync(atMost, clock, cancellationToken);

    /// <summary>Completes when all current runs have ended.</summary>
    public Task AllEnded() => Task.WhenAll(_runs.Values.Select(live => live.Ended.Task));

    public void Dispose() => _added.Dispose();
}
