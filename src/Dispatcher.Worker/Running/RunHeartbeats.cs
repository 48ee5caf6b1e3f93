using Dispatcher.Contracts;
using Dispatcher.Worker.Pools;
using Microsoft.Extensions.Logging;

namespace Dispatcher.Worker.Running;

/// <summary>
/// Extends the leases of all claimed runs: one request for all, at the shortest interval among them. An idempotent run whose heartbeats
/// have failed for three intervals stops itself (<see cref="ClaimedRun"/>), because the server may then give its job to another worker.
/// </summary>
internal sealed partial class RunHeartbeats(PoolParts parts, ClaimedRuns runs)
{
    private const int MaxRunsPerRequest = 1000;

    /// <summary>The shortest time limit of a request, however short the interval is.</summary>
    private static readonly TimeSpan MinRequestTime = TimeSpan.FromSeconds(1);

    private readonly ILogger _log = parts.Logs.CreateLogger<RunHeartbeats>();
    private bool _isFailing;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            await SendUntilAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The last run has ended.
        }
    }

    private async Task SendUntilAsync(CancellationToken cancellationToken)
    {
        var pause = TimeSpan.Zero;
        while (true)
        {
            // A fenced run has no lease to extend.
            List<ClaimedRun> live = [.. runs.All.Where(run => run.Reason != StopReason.Fenced)];
            var due = live.Count == 0 ? Timeout.InfiniteTimeSpan : live.Min(run => run.UntilHeartbeat);
            if (due != TimeSpan.Zero || pause > TimeSpan.Zero)
            {
                // A new run ends the wait early, because its interval may be shorter.
                await runs.WaitForNextAsync(due < pause && live.Count > 0 ? pause : due, cancellationToken);
                pause = TimeSpan.Zero;
                continue;
            }

            // After a failure, a pause of a quarter of the interval leaves several tries within the lease.
            pause = await SendOnceAsync(live, cancellationToken) ? TimeSpan.Zero : live.Min(run => run.Heartbeat) / 4;
        }
    }

    private async Task<bool> SendOnceAsync(List<ClaimedRun> live, CancellationToken cancellationToken)
    {
        var interval = live.Min(run => run.Heartbeat);
        using var time = new CancellationTokenSource(interval > MinRequestTime ? interval : MinRequestTime, parts.Clock);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(time.Token, cancellationToken);
        try
        {
            foreach (var batch in live.Chunk(MaxRunsPerRequest))
            {
                await SendAsync(batch, timeout.Token);
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

    private async Task SendAsync(ClaimedRun[] batch, CancellationToken cancellationToken)
    {
        var sentAt = parts.Clock.GetTimestamp();
        var request = new HeartbeatRequest
        {
            Worker = parts.Options.Instance,
            Runs = [.. batch.Select(run => new Run { JobId = run.Message.JobId, RunId = run.RunId })],
        };
        var answer = await parts.Transport.HeartbeatAsync(request, cancellationToken);
        foreach (var run in batch)
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
            "The heartbeat of {Runs} runs did not reach the dispatcher ({Error}); after three missed heartbeats the idempotent runs stop"
        )]
        public static partial void HeartbeatFailed(ILogger logger, int runs, string error);
    }
}
