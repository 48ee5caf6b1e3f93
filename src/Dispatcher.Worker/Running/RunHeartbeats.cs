using Dispatcher.Contracts;
using Dispatcher.Worker.Pools;
using Microsoft.Extensions.Logging;

namespace Dispatcher.Worker.Running;

/// <summary>
/// Keeps the leases of all live runs: one request for all of them, as often as the most impatient one asks. A run that may be repeated and whose heartbeats have failed for
/// three intervals ends itself (<see cref="ClaimedRun"/>): by then the server may have given its job to another worker.
/// </summary>
internal sealed partial class RunHeartbeats(PoolParts parts, ClaimedRuns runs)
{
    private const int MaxRunsPerRequest = 1000;

    /// <summary>No request is given up sooner, however impatient a run is.</summary>
    private static readonly TimeSpan MinRequestTime = TimeSpan.FromSeconds(1);

    private readonly ILogger _log = parts.Logs.CreateLogger<RunHeartbeats>();
    private bool _isFailing;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            await BeatUntilAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The last run has ended.
        }
    }

    private async Task BeatUntilAsync(CancellationToken cancellationToken)
    {
        var pause = TimeSpan.Zero;
        while (true)
        {
            // A fenced one has no lease to keep while it ends.
            List<ClaimedRun> live = [.. runs.All.Where(run => run.Reason != StopReason.Fenced)];
            var due = live.Count == 0 ? Timeout.InfiniteTimeSpan : live.Min(run => run.UntilHeartbeat);
            if (due != TimeSpan.Zero || pause > TimeSpan.Zero)
            {
                // Woken early by a new run, which may be more impatient than the others.
                await runs.WaitForNextAsync(due < pause && live.Count > 0 ? pause : due, cancellationToken);
                pause = TimeSpan.Zero;
                continue;
            }

            // After a failure soon again, but not at once: a quarter of the interval leaves several tries within the lease.
            pause = await BeatOnceAsync(live, cancellationToken) ? TimeSpan.Zero : live.Min(run => run.Heartbeat) / 4;
        }
    }

    private async Task<bool> BeatOnceAsync(List<ClaimedRun> live, CancellationToken cancellationToken)
    {
        var patience = live.Min(run => run.Heartbeat);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(patience > MinRequestTime ? patience : MinRequestTime);
        try
        {
            foreach (var some in live.Chunk(MaxRunsPerRequest))
            {
                await BeatAsync(some, timeout.Token);
            }

            _isFailing = false;
            return true;
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            parts.Metrics.HeartbeatFailed(parts.Pool.Name);
            if (!_isFailing)
            {
                Log.HeartbeatFailed(_log, live.Count, exception.Message);
            }

            _isFailing = true;
            return false;
        }
    }

    private async Task BeatAsync(ClaimedRun[] some, CancellationToken cancellationToken)
    {
        var sentAt = parts.Clock.GetTimestamp();
        var request = new HeartbeatRequest
        {
            Worker = parts.Options.Instance,
            Runs = [.. some.Select(run => new Run { JobId = run.Message.JobId, RunId = run.RunId })],
        };
        var answer = await parts.Transport.HeartbeatAsync(request, cancellationToken);
        foreach (var run in some)
        {
            if (answer.Fenced.Contains(run.RunId))
            {
                run.Stop(StopReason.Fenced);
                continue;
            }

            run.Extend(sentAt);
            if (answer.Cancelled.Contains(run.RunId))
            {
                run.Stop(StopReason.Cancelled);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(
            WorkerEventIds.HeartbeatFailed,
            LogLevel.Warning,
            "The heartbeat of {Runs} runs did not reach the dispatcher ({Error}); after three missed ones those that may be repeated are stopped"
        )]
        public static partial void HeartbeatFailed(ILogger logger, int runs, string error);
    }
}
