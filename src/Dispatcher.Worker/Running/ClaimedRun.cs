using Dispatcher.Contracts;

namespace Dispatcher.Worker.Running;

/// <summary>A granted run until its outcome is sent: when it must end, and why it was stopped.</summary>
internal sealed class ClaimedRun : IDisposable
{
    /// <summary>How long a handler may take to end after it was stopped.</summary>
    public static readonly TimeSpan EndGrace = TimeSpan.FromSeconds(2);

    /// <summary>How long after a run's limit the dispatcher waits for its outcome.</summary>
    private static readonly TimeSpan ReportTime = TimeSpan.FromSeconds(20);

    /// <summary>A day, the highest limit of the registry; a timer takes at most 49 days.</summary>
    private const long MaxMs = 86_400_000;

    private readonly TimeProvider _clock;
    private readonly long _claimedAt;
    private readonly TimeSpan _lease;
    private readonly ITimer _limitTimer;
    private readonly ITimer? _leaseTimer;
    private readonly Lock _lock = new();
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _extendedAt;
    private StopReason _reason;
    private bool _hasEnded;

    /// <param name="message">The work.</param>
    /// <param name="runId">The id of the claim.</param>
    /// <param name="permitId">The permit's <c>jti</c>.</param>
    /// <param name="traceParent">The submission's trace. Null: none.</param>
    /// <param name="claimedAt">
    /// The timestamp of <paramref name="clock"/> at which the claim request was sent. The server's limit and lease begin later, so this run
    /// ends before them.
    /// </param>
    /// <param name="clock">Its timestamps are monotonic: a change of the machine's time does not move the limits.</param>
    public ClaimedRun(WorkMessage message, Guid runId, Guid permitId, string? traceParent, long claimedAt, TimeProvider clock)
    {
        Message = message;
        RunId = runId;
        PermitId = permitId;
        TraceParent = traceParent;
        _clock = clock;
        _claimedAt = _extendedAt = claimedAt;
        Limit = LimitOf(message);
        Heartbeat = TimeSpan.FromMilliseconds(Math.Clamp(message.HeartbeatMs, 1, MaxMs));
        _lease = 3 * Heartbeat;
        _limitTimer = clock.CreateTimer(_ => Stop(StopReason.Timeout), null, Left(claimedAt, Limit), Timeout.InfiniteTimeSpan);
        // No other worker gets a run that must not be repeated: the dispatcher waits for its outcome, also without heartbeats.
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

    /// <summary>Completed when the run was stopped.</summary>
    public Task Stopped => _stopped.Task;

    public TimeSpan Age => _clock.GetElapsedTime(_claimedAt);

    public TimeSpan UntilHeartbeat => Left(Interlocked.Read(ref _extendedAt), Heartbeat);

    public StopReason Reason
    {
        get
        {
            lock (_lock)
            {
                return _reason;
            }
        }
    }

    /// <summary>
    /// False when the run must not begin: it was stopped, or its time or its lease is over. Measured here as for
    /// <see cref="MayHaveEffects"/>.
    /// </summary>
    public bool MayStart
    {
        get
        {
            lock (_lock)
            {
                return _reason == StopReason.None && Age < Limit && HasLease;
            }
        }
    }

    /// <summary>
    /// False when effects must be refused: the run is fenced, its time is over, or its outcome is decided. The times are measured here,
    /// because the timers of a process that was frozen have not fired yet.
    /// </summary>
    public bool MayHaveEffects
    {
        get
        {
            lock (_lock)
            {
                return !_hasEnded && _reason is not (StopReason.Fenced or StopReason.Lapsed) && Age < Limit + EndGrace && HasLease;
            }
        }
    }

    private bool HasLease => _leaseTimer is null || _clock.GetElapsedTime(_extendedAt) < _lease;

    /// <summary>The time limit of a run, from the claim on.</summary>
    public static TimeSpan LimitOf(WorkMessage message) =>
        TimeSpan.FromMilliseconds(Math.Clamp(Math.Min(message.RunUntilMs, message.Constraints?.TimeoutMs ?? long.MaxValue), 1, MaxMs));

    /// <summary>
    /// Stops the run. The first reason stays, but <see cref="StopReason.Fenced"/> replaces any other: then no outcome may be reported.
    /// </summary>
    public void Stop(StopReason reason)
    {
        lock (_lock)
        {
            if (_reason == StopReason.None || reason == StopReason.Fenced)
            {
                _reason = reason;
            }
        }

        _stopped.TrySetResult();
    }

    /// <summary>The dispatcher has accepted a heartbeat that was sent at this timestamp.</summary>
    public void Extend(long sentAt)
    {
        lock (_lock)
        {
            // Also after the end of the run: the next heartbeat of an unsent outcome is due relative to it.
            _extendedAt = sentAt;
            if (!_hasEnded)
            {
                _leaseTimer?.Change(Left(sentAt, _lease), Timeout.InfiniteTimeSpan);
            }
        }
    }

    /// <summary>
    /// Decides the outcome: later effects of an abandoned handler are refused. Returns why the run was stopped. Also returns lapsed when no
    /// timer has fired because the process was frozen; any fault would then only be a consequence of that.
    /// </summary>
    public StopReason Close()
    {
        lock (_lock)
        {
            _hasEnded = true;
            var lapsed = _leaseTimer is null ? Age >= Limit + ReportTime : !HasLease;
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

/// <summary>Why a run was stopped.</summary>
internal enum StopReason
{
    None,
    Timeout,
    Cancelled,
    WorkerStopping,

    /// <summary>No heartbeat was accepted for the length of the lease. The dispatcher may have given the job to another worker.</summary>
    Lapsed,

    /// <summary>The dispatcher reports that the run has lost its lease.</summary>
    Fenced,
}
