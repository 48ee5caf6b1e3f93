using System.Diagnostics.Metrics;
using Dispatcher.Contracts;

namespace Dispatcher.Base;

/// <summary>
/// The metrics of the path of a job, in the meter <see cref="DispatcherMetrics.Name"/>. Every process counts what it committed itself,
/// once. A crash between a commit and its count, or a commit whose answer was lost, is not counted.
/// </summary>
internal sealed class JobMetrics
{
    /// <summary>From a commit without load to a job that waited a day for its approval.</summary>
    private static readonly InstrumentAdvice<double> HopTimes = new()
    {
        HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200, 86_400],
    };

    private static readonly InstrumentAdvice<int> BatchSizes = new()
    {
        HistogramBucketBoundaries = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000],
    };

    private readonly Counter<long> _submitted;
    private readonly Counter<long> _entered;
    private readonly Histogram<double> _hops;
    private readonly Histogram<double> _ended;
    private readonly Counter<long> _repairs;
    private readonly Histogram<int> _batches;

    public JobMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(DispatcherMetrics.Name);
        _submitted = meter.CreateCounter<long>(
            "dispatcher.jobs.submitted",
            "{submission}",
            "Submissions by channel and outcome; stored: a new job or denial, known: sent before, and its first answer sent again"
        );
        _entered = meter.CreateCounter<long>(
            "dispatcher.jobs.states",
            "{move}",
            "Jobs by the state that they entered; denied has those at intake too, which are no stored job"
        );
        _hops = meter.CreateHistogram(
            "dispatcher.jobs.hop.duration",
            "s",
            "Time of one hop; intake: to the commit, approval: held, backlog: ready to dispatched, claim: dispatched to claimed, run: "
                + "claimed to outcome",
            advice: HopTimes
        );
        _ended = meter.CreateHistogram(
            "dispatcher.jobs.duration",
            "s",
            "Time from the commit of the submission to the final state, by that state",
            advice: HopTimes
        );
        _repairs = meter.CreateCounter<long>(
            "dispatcher.sweep.repairs",
            "{repair}",
            "What the sweep repaired; by kind: that of the timeline entry, or message: sent again from the outbox"
        );
        _batches = meter.CreateHistogram(
            "dispatcher.commit.batch",
            "{item}",
            "Submissions or moves that one transaction committed",
            advice: BatchSizes
        );
    }

    public void Submitted(string channel, string outcome, TimeSpan took)
    {
        _submitted.Add(1, new("channel", channel), new("outcome", outcome));
        HopTook("intake", took);
    }

    public void Entered(JobState state) => _entered.Add(1, new KeyValuePair<string, object?>("state", WireNames.Of(state)));

    public void HopTook(string hop, TimeSpan took) =>
        _hops.Record(Math.Max(0, took.TotalSeconds), new KeyValuePair<string, object?>("hop", hop));

    public void Ended(JobState state, TimeSpan took) =>
        _ended.Record(Math.Max(0, took.TotalSeconds), new KeyValuePair<string, object?>("state", WireNames.Of(state)));

    public void Repaired(string kind, int count) => _repairs.Add(count, new KeyValuePair<string, object?>("kind", kind));

    public void Committed(string hop, int items) => _batches.Record(items, new KeyValuePair<string, object?>("hop", hop));
}
