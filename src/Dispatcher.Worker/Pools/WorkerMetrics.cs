using System.Diagnostics;
using System.Diagnostics.Metrics;
using Dispatcher.Contracts;

namespace Dispatcher.Worker.Pools;

/// <summary>The metrics of a worker. Meter and trace source are both named <c>Dispatcher.Worker</c>.</summary>
internal sealed class WorkerMetrics
{
    public const string Name = "Dispatcher.Worker";

    /// <summary>Has one span per run, a child of the submission's trace.</summary>
    public static readonly ActivitySource Traces = new(Name);

    private readonly Counter<long> _dropped;
    private readonly Counter<long> _claims;
    private readonly Counter<long> _heartbeatsFailed;
    private readonly Counter<long> _abandoned;
    private readonly UpDownCounter<long> _live;
    private readonly UpDownCounter<long> _waiting;
    private readonly Histogram<double> _duration;
    private readonly Gauge<double> _clockAhead;

    public WorkerMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(Name);
        _dropped = meter.CreateCounter<long>(
            "dispatcher.worker.deliveries.dropped",
            "{delivery}",
            "Deliveries whose permit did not fit, or that were copies"
        );
        _claims = meter.CreateCounter<long>("dispatcher.worker.claims", "{claim}", "Claims by answer");
        _heartbeatsFailed = meter.CreateCounter<long>(
            "dispatcher.worker.heartbeats.failed",
            "{heartbeat}",
            "Heartbeats that did not reach the dispatcher"
        );
        _abandoned = meter.CreateCounter<long>(
            "dispatcher.worker.runs.abandoned",
            "{run}",
            "Runs whose handler did not end after it was stopped"
        );
        _live = meter.CreateUpDownCounter<long>("dispatcher.worker.runs.live", "{run}", "Runs going on");
        _waiting = meter.CreateUpDownCounter<long>(
            "dispatcher.worker.outcomes.waiting",
            "{outcome}",
            "Outcomes not yet accepted by the other side"
        );
        _duration = meter.CreateHistogram<double>("dispatcher.worker.run.duration", "s", "How long a run took, by how it ended");
        _clockAhead = meter.CreateGauge<double>(
            "dispatcher.worker.clock.ahead",
            "s",
            "How far the machine's clock is ahead of the dispatcher's; negative: behind"
        );
    }

    public void Dropped(string pool, string reason) => _dropped.Add(1, new("pool", pool), new("reason", reason));

    public void Claimed(string pool, ClaimStatus status) => _claims.Add(1, new("pool", pool), new("status", status.ToString()));

    public void HeartbeatFailed(string pool) => _heartbeatsFailed.Add(1, new KeyValuePair<string, object?>("pool", pool));

    public void Abandoned(string topic) => _abandoned.Add(1, new KeyValuePair<string, object?>("topic", topic));

    public void RunStarted(string topic) => _live.Add(1, new KeyValuePair<string, object?>("topic", topic));

    public void RunEnded(string topic, string ending, TimeSpan took)
    {
        _live.Add(-1, new KeyValuePair<string, object?>("topic", topic));
        _duration.Record(took.TotalSeconds, new("topic", topic), new("ending", ending));
    }

    public void ClockAhead(string pool, TimeSpan ahead) =>
        _clockAhead.Record(ahead.TotalSeconds, new KeyValuePair<string, object?>("pool", pool));

    public void OutcomesWaiting(string pool, int change) => _waiting.Add(change, new KeyValuePair<string, object?>("pool", pool));
}
