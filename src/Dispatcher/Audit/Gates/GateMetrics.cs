using System.Collections.Concurrent;
using System.Globalization;
using Dispatcher.Audit.Sealing;
using Dispatcher.Base;
using Dispatcher.Storage;

namespace Dispatcher.Audit.Gates;

/// <summary>The answer for one gate metric.</summary>
/// <param name="Text">The number. It blocks the gate if it was not measured.</param>
/// <param name="NoData">Why the number was not measured. Null: it was measured.</param>
/// <param name="Age">How long ago the number was computed. Null: it was not computed.</param>
internal sealed record GateAnswer(string Text, string? NoData = null, TimeSpan? Age = null);

/// <summary>
/// The three numbers that block or pass a promotion. One loop computes the numbers that were requested recently, one after the other.
/// Requests are answered from memory, so they cost the database nothing. It fails closed: after any error the answer is a blocking
/// number.
/// </summary>
internal sealed class GateMetrics(GateQueries queries, Sealer sealer, StoreClock clock, TimeProvider time, ILogger<GateMetrics> logger)
    : Loop(Period, time, logger)
{
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(250);

    /// <summary>Maximum wait of a caller for the first computation of its number, and of the loop for the database.</summary>
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    /// <summary>Maximum age of an answer: a gate must not pass because of old numbers.</summary>
    private static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(30);

    /// <summary>A number that was not requested for this time is no longer computed.</summary>
    private static readonly TimeSpan IdleTime = TimeSpan.FromMinutes(15);

    private static readonly TimeSpan MinPause = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan MaxPause = TimeSpan.FromSeconds(15);

    /// <summary>The pause after a computation is this many times its duration, to limit the load on the database.</summary>
    private const int PausePerCost = 10;

    private readonly ConcurrentDictionary<(GateMetric Metric, TimeSpan Window), Number> _numbers = [];

    public async Task<GateAnswer> AnswerAsync(GateMetric metric, string? window, CancellationToken cancellationToken)
    {
        var (span, error) = GateWindow.Read(window);
        if (span is not { } known)
        {
            return Blocked(metric, error!);
        }

        if (!clock.IsTrusted)
        {
            return Blocked(metric, "the database cannot be reached, or the clocks differ");
        }

        return metric == GateMetric.HighRiskUnapproved && sealer.Trouble is { } trouble
            ? Blocked(metric, trouble)
            : await NumberAsync(metric, known, cancellationToken);
    }

    /// <summary>Computes the numbers that are due, the shortest window first, because it costs least.</summary>
    public override async Task OnceAsync(CancellationToken cancellationToken)
    {
        while (NextDue() is { Value: { } due, Key: var key })
        {
            var began = Time.GetTimestamp();
            var answer = await ComputedAsync(key.Metric, key.Window, cancellationToken);
            var pause = Time.GetElapsedTime(began) * PausePerCost;
            pause =
                pause < MinPause ? MinPause
                : pause < MaxPause ? pause
                : MaxPause;
            due.Computed(answer, Time.GetTimestamp(), Time.GetTimestamp() + (long)(pause.TotalSeconds * Time.TimestampFrequency));
        }
    }

    private KeyValuePair<(GateMetric Metric, TimeSpan Window), Number> NextDue() =>
        _numbers.Where(number => IsDue(number.Value)).OrderBy(number => number.Key.Window).FirstOrDefault();

    /// <summary>The number that blocks the gate of this metric.</summary>
    public static GateAnswer Blocked(GateMetric metric, string why) =>
        new(
            metric switch
            {
                GateMetric.HighRiskUnapproved => "1",
                GateMetric.SuccessRate => "0",
                GateMetric.P95LatencyMs => "2147483647",
            },
            why
        );

    private async Task<GateAnswer> NumberAsync(GateMetric metric, TimeSpan window, CancellationToken cancellationToken)
    {
        var number = _numbers.GetOrAdd((metric, window), _ => new Number());
        var next = number.Requested(Time.GetTimestamp());
        if (Fresh(number) is { } answer)
        {
            return answer;
        }

        try
        {
            await next.WaitAsync(Timeout, Time, cancellationToken);
        }
        catch (TimeoutException) { }

        return Fresh(number) ?? Blocked(metric, "the number is not computed yet; ask again in some seconds");
    }

    private GateAnswer? Fresh(Number number)
    {
        var (answer, at) = number.Last;
        var age = Time.GetElapsedTime(at);
        return answer is not null && age <= MaxAge ? answer with { Age = age } : null;
    }

    private bool IsDue(Number number) => number.NextAt <= Time.GetTimestamp() && Time.GetElapsedTime(number.RequestedAt) < IdleTime;

    private async Task<GateAnswer> ComputedAsync(GateMetric metric, TimeSpan window, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(Timeout, Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await QueryAsync(metric, window, either.Token);
        }
#pragma warning disable CA1031 // After any error the caller must get the blocking number: a script reads an error page as no number.
        catch (Exception reason) when (!cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
        {
            return Blocked(
                metric,
                limit.IsCancellationRequested
                    ? $"the store did not answer within {Timeout.TotalSeconds:0} s"
                    : $"the store could not answer: {reason.GetType().Name}"
            );
        }
    }

    private async Task<GateAnswer> QueryAsync(GateMetric metric, TimeSpan window, CancellationToken cancellationToken)
    {
        var now = clock.Now;
        var value = metric switch
        {
            GateMetric.HighRiskUnapproved => await queries.HighRiskUnapprovedAsync(now - Timestamps.Micros(window), now, cancellationToken),
            GateMetric.SuccessRate => await queries.SuccessRateAsync(now - Timestamps.Micros(window), now, cancellationToken),
            GateMetric.P95LatencyMs => await queries.P95LatencyMsAsync(now - Timestamps.Micros(window), now, cancellationToken),
        };
        return value is null
            ? Blocked(metric, "no job in the window")
            : new GateAnswer(value.Value.ToString("0.####", CultureInfo.InvariantCulture));
    }

    /// <summary>The last computation of one metric over one window. Times are timestamps of the clock.</summary>
    private sealed class Number
    {
        private readonly Lock _gate = new();
        private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private (GateAnswer? Answer, long At) _last;
        private long _requestedAt;
        private long _nextAt;

        public (GateAnswer? Answer, long At) Last
        {
            get
            {
                lock (_gate)
                {
                    return _last;
                }
            }
        }

        public long RequestedAt => Interlocked.Read(ref _requestedAt);

        public long NextAt => Interlocked.Read(ref _nextAt);

        /// <summary>Notes the request. The task completes at the next computation.</summary>
        public Task Requested(long now)
        {
            Interlocked.Exchange(ref _requestedAt, now);
            lock (_gate)
            {
                return _next.Task;
            }
        }

        public void Computed(GateAnswer answer, long now, long nextAt)
        {
            TaskCompletionSource waiting;
            lock (_gate)
            {
                _last = (answer, now);
                (waiting, _next) = (_next, new(TaskCreationOptions.RunContinuationsAsynchronously));
            }

            Interlocked.Exchange(ref _nextAt, nextAt);
            waiting.SetResult();
        }
    }
}

/// <summary>The gate metrics.</summary>
internal enum GateMetric
{
    /// <summary>
    /// Number of dispatches in the window that required an approval and had none of their own, of jobs that are at or after dispatch
    /// without an entry of it, and of jobs whose rows contradicted the timeline.
    /// </summary>
    HighRiskUnapproved,

    /// <summary>Share of the jobs that ended in the window by themselves and succeeded, 0 to 1.</summary>
    SuccessRate,

    /// <summary>95th percentile of their time from submission to end, without the time that approvals took, in milliseconds.</summary>
    P95LatencyMs,
}
