using Dispatcher.Contracts;

namespace Dispatcher.Worker.Running;

/// <summary>A granted run while its handler goes on: when it must end, and why it was told to.</summary>
internal sealed class ClaimedRun : IDisposable
{
    /// <summary>How long a handler may take to end after it was told to.</summary>
    public static readonly TimeSpan EndGrace = TimeSpan.FromSeconds(2);

    /// <summary>So long after a run's limit the dispatcher waits for its outcome.</summary>
    private static readonly TimeSpan ReportTime = TimeSpan.FromSeconds(20);

    /// <summary>A day, the longest limit there is; a timer takes no more than 49.</summary>
    private const long MaxMs = 86_400_000;

    private readonly TimeProvider _clock;
    private readonly long _claimedAt;
    private readonly TimeSpan _lease;
    private readonly ITimer _limitTimer;
    private readonly ITimer? _leaseTimer;
    private readonly Lock _gate = new();
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _beatAt;
    private StopReason _reason;
    private bool _over;

    /// <param name="message">The work.</param>
    /// <param name="runId">The claim's.</param>
    /// <param name="permitId">The permit's <c>jti</c>.</param>
    /// <param name="traceParent">The submission's trace. Null: none.</param>
    /// <param name="claimedAt">When the claim request was sent, a timestamp of <paramref name="clock"/>: the server's limit and lease begin later, so this run ends before them.</param>
    /// <param name="clock">Its timestamps are monotonic: setting the machine's clock moves no limit.</param>
    public ClaimedRun(WorkMessage message, Guid runId, Guid permitId, string? traceParent, long claimedAt, TimeProvider clock)
    {
        Message = message;
        RunId = runId;
        PermitId = permitId;
        TraceParent = traceParent;
        _clock = clock;
        _claimedAt = _beatAt = claimedAt;
        Limit = TimeSpan.FromMilliseconds(
            Math.Clamp(Math.Min(message.RunUntilMs, message.Constraints?.TimeoutMs ?? long.MaxValue), 1, MaxMs)
        );
        Heartbeat = TimeSpan.FromMilliseconds(Math.Clamp(message.HeartbeatMs, 1, MaxMs));
        _lease = 3 * Heartbeat;
        _limitTimer = clock.CreateTimer(_ => Stop(StopReason.Timeout), null, Left(claimedAt, Limit), Timeout.InfiniteTimeSpan);
        // Nobody else may take a run that must not be repeated, before its end: the dispatcher waits for its outcome, however long it hears nothing.
        _leaseTimer = message.Idempotent
            ? clock.CreateTimer(_ => Stop(StopReason.Lapsed), null, Left(claimedAt, _lease), Timeout.InfiniteTimeSpan)
            : null;
    }

    public WorkMessage Message { get; }

    public Guid RunId { get; }

    public Guid PermitId { get; }

    public string? TraceParent { get; }

    public TimeSpan Limit { get; }

    public TimeSpan Heartbeat { get; }

    /// <summary>Done when somebody asked the run to end.</summary>
    public Task Stopped => _stopped.Task;

    public TimeSpan Age => _clock.GetElapsedTime(_claimedAt);

    public TimeSpan UntilHeartbeat => Left(Interlocked.Read(ref _beatAt), Heartbeat);

    public StopReason Reason
    {
        get
        {
            lock (_gate)
            {
                return _reason;
            }
        }
    }

    /// <summary>
    /// False when an effect must be refused: fenced, or its time is over, or its outcome is decided. The times are measured here and not left to the timers: a process that
    /// was frozen wakes with its timers still unfired.
    /// </summary>
    public bool MayHaveEffects
    {
        get
        {
            lock (_gate)
            {
                return !_over
                    && _reason is not (StopReason.Fenced or StopReason.Lapsed)
                    && Age < Limit + EndGrace
                    && (_leaseTimer is null || _clock.GetElapsedTime(_beatAt) < _lease);
            }
        }
    }

    /// <summary>Tells the run to end. The first reason stays, except that the dispatcher's own word on the lease beats all: then nothing may be reported.</summary>
    public void Stop(StopReason reason)
    {
        lock (_gate)
        {
            if (_reason == StopReason.None || reason == StopReason.Fenced)
            {
                _reason = reason;
            }
        }

        _stopped.TrySetResult();
    }

    /// <summary>A heartbeat sent at that timestamp was taken.</summary>
    public void Extend(long sentAt)
    {
        lock (_gate)
        {
            // Also of one that is over: the next heartbeat of an outcome that is still unsent is due by it.
            _beatAt = sentAt;
            if (!_over)
            {
                _leaseTimer?.Change(Left(sentAt, _lease), Timeout.InfiniteTimeSpan);
            }
        }
    }

    /// <summary>
    /// The outcome is decided: whatever an abandoned handler still does counts for nothing. Returns why the run was stopped; lapsed also where no timer has fired, since the
    /// process was frozen: then a fault would only say that.
    /// </summary>
    public StopReason Close()
    {
        lock (_gate)
        {
            _over = true;
            var lapsed = _leaseTimer is null ? Age >= Limit + ReportTime : _clock.GetElapsedTime(_beatAt) >= _lease;
            return lapsed && _reason != StopReason.Fenced ? StopReason.Lapsed : _reason;
        }
    }

    public void Dispose()
    {
        _limitTimer.Dispose();
        _leaseTimer?.Dispose();
    }

    private TimeSpan Left(long since, TimeSpan span)
    {
        var left = span - _clock.GetElapsedTime(since);
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }
}

/// <summary>Why a run was told to end.</summary>
internal enum StopReason
{
    None,
    Timeout,
    Cancelled,
    WorkerStopping,

    /// <summary>No heartbeat was taken for the length of the lease: the dispatcher may have given the job to another worker, or not.</summary>
    Lapsed,

    /// <summary>The dispatcher says that the run has lost its lease.</summary>
    Fenced,
}
