using System.Diagnostics.Metrics;
using Dispatcher.Contracts;

namespace Dispatcher.Base;

/// <summary>
/// The metrics of the server, in the meter <see cref="Name"/>. <c>GET /metrics</c> shows them, and those of a worker in the same process.
/// </summary>
internal sealed class DispatcherMetrics
{
    public const string Name = "Dispatcher";

    /// <summary>A decision takes microseconds. If it takes milliseconds, the bundle is too large or the machine too busy.</summary>
    private static readonly InstrumentAdvice<double> DecisionTimes = new()
    {
        HistogramBucketBoundaries = [0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.005, 0.025, 0.1, 1],
    };

    private readonly Counter<long> _activations;
    private readonly Gauge<int> _folderErrors;
    private readonly Gauge<double> _folderInvalid;
    private readonly Counter<long> _decisions;
    private readonly Histogram<double> _decisionDuration;
    private readonly Gauge<int> _approvalsWaiting;
    private readonly Gauge<double> _approvalsMedianWait;
    private readonly Gauge<double> _approvalsLongestWait;
    private readonly Counter<long> _approvalsExpired;
    private readonly Counter<long> _votesRefused;
    private readonly Gauge<int> _poolWaiting;
    private readonly Gauge<int> _poolCapacity;
    private readonly Gauge<int> _poolLimit;
    private readonly Counter<long> _attempts;
    private readonly Counter<long> _sealed;
    private readonly Gauge<double> _sealingLag;
    private readonly Gauge<int> _brokerAcceptsLargeMessages;
    private readonly Counter<long> _unreceivable;
    private readonly Counter<long> _newer;
    private readonly Gauge<long> _unrouted;
    private readonly Gauge<long> _undelivered;

    public DispatcherMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(Name);
        _activations = meter.CreateCounter<long>(
            "dispatcher.policy.activations",
            "{activation}",
            "Bundles that this process put in force or refused; refused: each broken folder once, and bundles that this version cannot load"
        );
        _folderErrors = meter.CreateGauge<int>(
            "dispatcher.policy.folder.errors",
            "{error}",
            "Errors of the policy folder now; 0: it is valid"
        );
        _folderInvalid = meter.CreateGauge<double>(
            "dispatcher.policy.folder.invalid.duration",
            "s",
            "Time since the policy folder was last valid; 0: it is valid"
        );
        _decisions = meter.CreateCounter<long>(
            "dispatcher.policy.decisions",
            "{decision}",
            "Decisions by verdict and hop; a job that another bundle decides again counts again"
        );
        _decisionDuration = meter.CreateHistogram(
            "dispatcher.policy.decision.duration",
            "s",
            "Time that a decision took",
            advice: DecisionTimes
        );
        _approvalsWaiting = meter.CreateGauge<int>("dispatcher.approvals.waiting", "{approval}", "Jobs that are held for approval");
        _approvalsMedianWait = meter.CreateGauge<double>(
            "dispatcher.approvals.wait.median",
            "s",
            "Median time that the held jobs have waited; 0: none waits"
        );
        _approvalsLongestWait = meter.CreateGauge<double>(
            "dispatcher.approvals.wait.longest",
            "s",
            "Time that the oldest held job has waited; 0: none waits"
        );
        _approvalsExpired = meter.CreateCounter<long>(
            "dispatcher.approvals.expired",
            "{approval}",
            "Approvals that were not decided, or not used, within the limit of their rule; counted by the process that ended them"
        );
        _votesRefused = meter.CreateCounter<long>(
            "dispatcher.approvals.votes.refused",
            "{vote}",
            "Refused votes by reason; the timeline has the first of each approval, key subject and reason"
        );
        _poolWaiting = meter.CreateGauge<int>(
            "dispatcher.pool.waiting",
            "{job}",
            "Jobs in the backlog of a pool, with the retries that are not ready yet"
        );
        _poolCapacity = meter.CreateGauge<int>(
            "dispatcher.pool.capacity",
            "{run}",
            "Runs that the live workers of a pool can have at once; 0: no worker serves the pool"
        );
        _poolLimit = meter.CreateGauge<int>(
            "dispatcher.pool.limit",
            "{attempt}",
            "Attempts that the circuit breaker of this process allows at once in a pool; -1: not limited"
        );
        _attempts = meter.CreateCounter<long>(
            "dispatcher.attempts.ended",
            "{attempt}",
            "Ended attempts by pool and by how they ended: succeeded, the class of the fault, cancelled or returned"
        );
        _sealed = meter.CreateCounter<long>("dispatcher.audit.sealed", "{entry}", "Timeline entries that this process sealed");
        _sealingLag = meter.CreateGauge<double>(
            "dispatcher.audit.unsealed.lag",
            "s",
            "Greatest age of entries that are committed to the timeline and not sealed yet"
        );
        _brokerAcceptsLargeMessages = meter.CreateGauge<int>(
            "dispatcher.broker.accepts_large_messages",
            "1",
            "1: the broker accepts messages of more than 16 MiB, so lower its max_message_size; 0: it refuses them"
        );
        _unreceivable = meter.CreateCounter<long>(
            "dispatcher.messages.unreceivable",
            "{delivery}",
            "Deliveries that the client library could not parse, each of which closed the connection of a bus"
        );
        _newer = meter.CreateCounter<long>(
            "dispatcher.messages.newer_version",
            "{message}",
            "Messages whose format is newer than this server knows, which wait for a newer server; grows: upgrade the servers"
        );
        _unrouted = meter.CreateGauge<long>(
            "dispatcher.messages.unrouted",
            "{message}",
            "Messages in dispatcher.unrouted that the server has not taken in yet; more than 0 for long: it cannot"
        );
        _undelivered = meter.CreateGauge<long>(
            "dispatcher.messages.undelivered",
            "{message}",
            "Copies of dead letters for which no owner has a queue; the server offers them again at each start and every hour"
        );
    }

    public void Activated() => _activations.Add(1, new KeyValuePair<string, object?>("result", "activated"));

    public void Refused() => _activations.Add(1, new KeyValuePair<string, object?>("result", "refused"));

    public void FolderSeen(int errors, TimeSpan invalidFor)
    {
        _folderErrors.Record(errors);
        _folderInvalid.Record(invalidFor.TotalSeconds);
    }

    public void ApprovalsWait(int count, TimeSpan median, TimeSpan longest)
    {
        _approvalsWaiting.Record(count);
        _approvalsMedianWait.Record(median.TotalSeconds);
        _approvalsLongestWait.Record(longest.TotalSeconds);
    }

    public void ApprovalsExpired(int count) => _approvalsExpired.Add(count);

    public void VoteRefused(string code) => _votesRefused.Add(1, new KeyValuePair<string, object?>("reason", code));

    public void Decided(Hop hop, Verdict verdict, TimeSpan took)
    {
        var tag = new KeyValuePair<string, object?>("hop", WireNames.Of(hop));
        _decisions.Add(1, new("verdict", WireNames.Of(verdict)), tag);
        _decisionDuration.Record(took.TotalSeconds, tag);
    }

    public void PoolSeen(string pool, int waiting, int capacity, int? limit)
    {
        var tag = new KeyValuePair<string, object?>("pool", pool);
        _poolWaiting.Record(waiting, tag);
        _poolCapacity.Record(capacity, tag);
        _poolLimit.Record(limit ?? -1, tag);
    }

    public void AttemptEnded(string pool, string how) => _attempts.Add(1, new("pool", pool), new("how", how));

    public void Sealed(int entries) => _sealed.Add(entries);

    public void BrokerAcceptsLargeMessages(bool accepts) => _brokerAcceptsLargeMessages.Record(accepts ? 1 : 0);

    /// <summary>
    /// Begins the counter of a bus at 0. Prometheus sees no increase in a counter whose first value is not 0.
    /// </summary>
    public void BusConnected(string bus) => _unreceivable.Add(0, new KeyValuePair<string, object?>("bus", bus));

    public void MessageUnreceivable(string bus) => _unreceivable.Add(1, new KeyValuePair<string, object?>("bus", bus));

    /// <param name="queue">The queue of the message.</param>
    /// <param name="count">0 begins the counter, for the same reason as <see cref="BusConnected"/>.</param>
    public void MessagesOfNewerVersion(string queue, int count) => _newer.Add(count, new KeyValuePair<string, object?>("queue", queue));

    public void UnroutedSeen(long waiting, long undelivered)
    {
        _unrouted.Record(waiting);
        _undelivered.Record(undelivered);
    }

    public void SealingLags(TimeSpan lag) => _sealingLag.Record(lag.TotalSeconds);
}
