using System.Collections.Concurrent;

namespace Dispatcher.Worker.Running;

/// <summary>The runs going on in one pool.</summary>
internal sealed class LiveRuns : IDisposable
{
    private readonly ConcurrentDictionary<Guid, (LiveRun Run, TaskCompletionSource Ended)> _runs = new();
    private readonly SemaphoreSlim _added = new(0);

    public IReadOnlyList<LiveRun> All => [.. _runs.Values.Select(live => live.Run)];

    public void Add(LiveRun run)
    {
        _runs[run.RunId] = (run, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        _added.Release();
    }

    public void Remove(LiveRun run)
    {
        if (_runs.TryRemove(run.RunId, out var live))
        {
            live.Ended.SetResult();
        }
    }

    /// <summary>Waits until a run is added, at most that long.</summary>
    public Task WaitForNextAsync(TimeSpan atMost, CancellationToken cancellationToken) => _added.WaitAsync(atMost, cancellationToken);

    /// <summary>Done when the runs of this moment have ended.</summary>
    public Task AllEnded() => Task.WhenAll(_runs.Values.Select(live => live.Ended.Task));

    public void Dispose() => _added.Dispose();
}
