using System.Collections.Concurrent;
using System.Globalization;
using Dispatcher.Audit.Sealing;
using Dispatcher.Base;
using Dispatcher.Storage;

namespace Dispatcher.Audit.Gates;

/// <summary>What a gate is told: a number, and when it is not known, why. The number then is the one that blocks.</summary>
/// <param name="Text">The number.</param>
/// <param name="NoData">Why it is not measured. Null: it is.</param>
/// <param name="Age">How long ago it was computed. Null: it never was.</param>
internal sealed record GateAnswer(string Text, string? NoData = null, TimeSpan? Age = null);

/// <summary>
/// The three numbers that stop or let pass a promotion. One loop computes those that were asked for of late, one after the other; answers
/// come from memory, so that
/// any number of callers cost the database nothing. Whatever goes wrong, the answer is a number that blocks: a gate that cannot know says
/// no.
/// </summary>
internal sealed class GateMetrics(GateQueries queries, Sealer sealer, StoreClock clock, TimeProvider time, ILogger<GateMetrics> logger)
    : Loop(Period, time, logger)
{
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(250);

    /// <summary>The longest wait of a caller whose number is not there yet, and of the loop for the database.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>An older number is not told: a gate must not pass by what was.</summary>
    private static readonly TimeSpan TooOld = TimeSpan.FromSeconds(30);

    /// <summary>A number that nobody asked for in this time is no longer computed.</summary>
    private static readonly TimeSpan Forgotten = TimeSpan.FromMinutes(15);

    private static readonly TimeSpan ShortestPause = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(15);

    /// <summary>The pause after a number is this many times as long as computing it took: the database must not be kept busy.</summary>
    private const int PausePerCost = 10;

    private readonly ConcurrentDictionary<(GateMetric Metric, TimeSpan Window), Number> _numbers = [];

    public async Task<GateAnswer> AskAsync(GateMetric metric, string? window, CancellationToken cancellationToken)
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

    /// <summary>Computes what is due, the shortest window first, since it costs least.</summary>
    public override async Task OnceAsync(CancellationToken cancellationToken)
    {
        while (NextDue() is { Value: { } due, Key: var key })
        {
            var began = Time.GetTimestamp();
            var answer = await ComputedAsync(key.Metric, key.Window, cancellationToken);
            var pause = Time.GetElapsedTime(began) * PausePerCost;
            pause =
                pause < ShortestPause ? ShortestPause
                : pause < LongestPause ? pause
                : LongestPause;
            due.Computed(answer, Time.GetTimestamp(), Time.GetTimestamp() + (long)(pause.TotalSeconds * Time.TimestampFrequency));
        }
    }

    private KeyValuePair<(GateMetric Metric, TimeSpan Window), Number> NextDue() =>
        _numbers.Where(number => IsDue(number.Value)).OrderBy(number => number.Key.Window).FirstOrDefault();

    /// <summary>The number that no gate passes.</summary>
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
        var next = number.Asked(Time.GetTimestamp());
        if (Fresh(number) is { } answer)
        {
            return answer;
        }

        try
        {
            await next.WaitAsync(Patience, Time, cancellationToken);
        }
        catch (TimeoutException) { }

        return Fresh(number) ?? Blocked(metric, "it is not computed yet; ask again in some seconds");
    }

    private GateAnswer? Fresh(Number number)
    {
        var (answer, at) = number.Last;
        var age = Time.GetElapsedTime(at);
        return answer is not null && age <= TooOld ? answer with { Age = age } : null;
    }

    private bool IsDue(Number number) => number.NextAt <= Time.GetTimestamp() && Time.GetElapsedTime(number.AskedAt) < Forgotten;

    private async Task<GateAnswer> ComputedAsync(GateMetric metric, TimeSpan window, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(Patience, Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await AskStoreAsync(metric, window, either.Token);
        }
#pragma warning disable CA1031 // Whatever it is: who asks a gate must get the number that blocks, not an error that a script takes for none.
        catch (Exception reason) when (!cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
        {
            return Blocked(
                metric,
                limit.IsCancellationRequested
                    ? $"the store did not answer within {Patience.TotalSeconds:0} s"
                    : $"the store could not answer: {reason.GetType().Name}"
            );
        }
    }

    private async Task<GateAnswer> AskStoreAsync(GateMetric metric, TimeSpan window, CancellationToken cancellationToken)
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

    /// <summary>One metric of one window, as it was last computed. Times are timestamps of the clock.</summary>
    private sealed class Number
    {
        private readonly Lock _gate = new();
        private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private (GateAnswer? Answer, long At) _last;
        private long _askedAt;
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

        public long AskedAt => Interlocked.Read(ref _askedAt);

        public long NextAt => Interlocked.Read(ref _nextAt);

        /// <summary>Done when it is computed the next time.</summary>
        public Task Asked(long now)
        {
            Interlocked.Exchange(ref _askedAt, now);
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

/// <summary>What a gate may ask.</summary>
internal enum GateMetric
{
    /// <summary>
    /// Dispatches in the window that needed an approval and had none of their own, jobs that are further than their timeline tells, and
    /// jobs whose rows contradicted it.
    /// </summary>
    HighRiskUnapproved,

    /// <summary>Of the jobs that ended in the window by themselves, the part that succeeded, 0 to 1.</summary>
    SuccessRate,

    /// <summary>95 of 100 of these took at most so long from hand-in to end, without the time that people took to approve.</summary>
    P95LatencyMs,
}
