using System.Diagnostics.Metrics;

namespace Dispatcher.Base;

/// <summary>
/// What the store holds and whether the process can use it, in the meter <see cref="DispatcherMetrics.Name"/>. A background loop measures
/// them. Each server reports the same store, so take the maximum over servers and never the sum.
/// </summary>
internal sealed class StoreMetrics
{
    private readonly Gauge<double> _backlogAge;
    private readonly Gauge<long> _outbox;
    private readonly Gauge<double> _outboxAge;
    private readonly Gauge<long> _parked;
    private readonly Gauge<long> _deadLetters;
    private readonly Gauge<double> _deadLetterAge;
    private readonly Gauge<int> _freezes;
    private readonly Gauge<int> _checks;
    private readonly Gauge<int> _ready;
    private readonly Gauge<double> _clock;
    private readonly Gauge<int> _blocked;
    private readonly Gauge<int> _bundle;
    private string? _inForce;

    public StoreMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(DispatcherMetrics.Name);
        _backlogAge = meter.CreateGauge<double>(
            "dispatcher.pool.oldest.age",
            "s",
            "Time since the first job of the backlog of a pool became ready; 0: none is ready"
        );
        _outbox = meter.CreateGauge<long>("dispatcher.outbox.messages", "{message}", "Messages in the outbox, without the parked ones");
        _outboxAge = meter.CreateGauge<double>(
            "dispatcher.outbox.oldest.age",
            "s",
            "Age of the oldest message of the outbox that is not parked; 0: there is none"
        );
        _parked = meter.CreateGauge<long>(
            "dispatcher.outbox.parked",
            "{message}",
            "Messages of the outbox that could not be sent so often that the server stopped trying"
        );
        _deadLetters = meter.CreateGauge<long>("dispatcher.dead_letters.open", "{dead_letter}", "Open dead letters by owner");
        _deadLetterAge = meter.CreateGauge<double>(
            "dispatcher.dead_letters.oldest.age",
            "s",
            "Age of the oldest open dead letter by owner; 0: none is open"
        );
        _freezes = meter.CreateGauge<int>(
            "dispatcher.freezes.active",
            "{freeze}",
            "Freezes in force by kind: topic, pool or all. The jobs of their targets are not dispatched"
        );
        _checks = meter.CreateGauge<int>("dispatcher.check", "1", "1: the check of readiness passes; 0: it fails");
        _ready = meter.CreateGauge<int>("dispatcher.ready", "1", "1: the server may decide and move jobs; 0: it may not");
        _clock = meter.CreateGauge<double>(
            "dispatcher.clock.offset",
            "s",
            "How far the machine's clock is behind the database's; negative: ahead. Above 2 the server decides nothing"
        );
        _blocked = meter.CreateGauge<int>(
            "dispatcher.broker.blocked",
            "1",
            "1: the broker accepts no messages, because of a memory or disk alarm; 0: it accepts them"
        );
        _bundle = meter.CreateGauge<int>("dispatcher.policy.bundle", "1", "1: the bundle with this hash is in force; 0: it was before");
    }

    public void BacklogSeen(string pool, TimeSpan oldest) =>
        _backlogAge.Record(oldest.TotalSeconds, new KeyValuePair<string, object?>("pool", pool));

    public void OutboxSeen(long messages, TimeSpan oldest, long parked)
    {
        _outbox.Record(messages);
        _outboxAge.Record(oldest.TotalSeconds);
        _parked.Record(parked);
    }

    public void DeadLettersSeen(string owner, long count, TimeSpan oldest)
    {
        _deadLetters.Record(count, new KeyValuePair<string, object?>("owner", owner));
        _deadLetterAge.Record(oldest.TotalSeconds, new KeyValuePair<string, object?>("owner", owner));
    }

    public void FreezesSeen(string kind, int count) => _freezes.Record(count, new KeyValuePair<string, object?>("kind", kind));

    public void CheckSeen(string check, bool passes) => _checks.Record(passes ? 1 : 0, new KeyValuePair<string, object?>("check", check));

    public void Ready(bool ready) => _ready.Record(ready ? 1 : 0);

    public void ClockSeen(TimeSpan offset) => _clock.Record(offset.TotalSeconds);

    public void BrokerBlocked(bool blocked) => _blocked.Record(blocked ? 1 : 0);

    /// <param name="hash">Of the bundle in force. Empty: none is.</param>
    public void BundleSeen(string hash)
    {
        if (_inForce is { } before && before != hash)
        {
            _bundle.Record(0, new KeyValuePair<string, object?>("hash", before));
        }

        _inForce = hash.Length == 0 ? null : hash;
        if (_inForce is not null)
        {
            _bundle.Record(1, new KeyValuePair<string, object?>("hash", hash));
        }
    }
}
