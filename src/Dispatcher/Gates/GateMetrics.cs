using System.Collections.Concurrent;
using System.Globalization;
using Dispatcher.Sealing;
using Dispatcher.Storing;

namespace Dispatcher.Gates;

/// <summary>What a gate is told: a number, and when it is not known, why. The number then is the one that blocks.</summary>
internal sealed record GateAnswer(string Text, string? NoData = null);

/// <summary>
/// The three numbers that stop or let pass a promotion. Whatever goes wrong, the answer is a number that blocks: a gate that cannot know says no. One question is
/// computed at a time, and its answer serves everybody who asks the same for a while.
/// </summary>
internal sealed class GateMetrics(GateQueries queries, Sealer sealer, StoreClock clock, TimeProvider time) : IDisposable
{
    /// <summary>Different windows that are remembered. Anybody may ask, so that this must end somewhere.</summary>
    private const int LargestMemory = 64;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan ShortestLife = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LongestLife = TimeSpan.FromSeconds(10);

    /// <summary>An answer that took long to compute lives longer, up to the longest: asking shall not keep the database busy.</summary>
    private const int LifePerCost = 10;

    private readonly SemaphoreSlim _one = new(1);
    private readonly ConcurrentDictionary<(GateMetric Metric, TimeSpan Window), (GateAnswer Answer, long Until)> _answers = [];

    public async Task<GateAnswer> AskAsync(GateMetric metric, string? window, CancellationToken cancellationToken)
    {
        var (span, error) = GateWindow.Read(window);
        return span is not { } known ? Blocked(metric, error!)
            : !clock.IsTrusted ? Blocked(metric, "the database cannot be reached, or the clocks differ")
            : metric == GateMetric.HighRiskUnapproved && sealer.Trouble is { } trouble ? Blocked(metric, trouble)
            : Remembered(metric, known) ?? await ComputedAsync(metric, known, cancellationToken);
    }

    public void Dispose() => _one.Dispose();

    private GateAnswer? Remembered(GateMetric metric, TimeSpan window) =>
        _answers.TryGetValue((metric, window), out var kept) && time.GetTimestamp() < kept.Until ? kept.Answer : null;

    private async Task<GateAnswer> ComputedAsync(GateMetric metric, TimeSpan window, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Patience);
        try
        {
            await _one.WaitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            return Blocked(metric, "too many questions at once");
        }

        try
        {
            return Remembered(metric, window) ?? Remember(metric, window, time.GetTimestamp(), await AskStoreAsync(metric, window, limit.Token));
        }
#pragma warning disable CA1031 // Whatever it is: who asks a gate must get the number that blocks, not an error that a script takes for none.
        catch (Exception reason)
#pragma warning restore CA1031
        {
            return Blocked(metric, $"the store could not answer: {reason.GetType().Name}");
        }
        finally
        {
            _one.Release();
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
        return value is null ? Blocked(metric, "no job in the window") : new GateAnswer(value.Value.ToString("0.####", CultureInfo.InvariantCulture));
    }

    private GateAnswer Remember(GateMetric metric, TimeSpan window, long began, GateAnswer answer)
    {
        if (_answers.Count >= LargestMemory)
        {
            _answers.Clear();
        }

        var life = Math.Clamp(time.GetElapsedTime(began).TotalSeconds * LifePerCost, ShortestLife.TotalSeconds, LongestLife.TotalSeconds);
        var ticks = (long)(life * time.TimestampFrequency);
        _answers[(metric, window)] = (answer, time.GetTimestamp() + ticks);
        return answer;
    }

    /// <summary>The number that no gate passes.</summary>
    private static GateAnswer Blocked(GateMetric metric, string why) => new(
        metric switch
        {
            GateMetric.HighRiskUnapproved => "1",
            GateMetric.SuccessRate => "0",
            GateMetric.P95LatencyMs => "2147483647",
        },
        why);
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
