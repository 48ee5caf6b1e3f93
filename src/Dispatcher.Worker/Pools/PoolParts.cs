using Microsoft.Extensions.Logging;

namespace Dispatcher.Worker.Pools;

/// <summary>A pool that this process serves, and its handlers by topic.</summary>
internal sealed class PoolRegistration(string name)
{
    public string Name { get; } = name;

    public Dictionary<string, Type> Handlers { get; } = new(StringComparer.Ordinal);

    /// <summary>The enforced constraints: these two by the library, the others by the handlers.</summary>
    public SortedSet<string> Enforcers { get; } = new(StringComparer.Ordinal) { "timeout_ms", "max_output_bytes" };
}

/// <summary>The settings and services that the parts of a served pool share.</summary>
internal sealed record PoolParts(
    PoolRegistration Pool,
    WorkerOptions Options,
    IWorkerTransport Transport,
    TimeProvider Clock,
    WorkerMetrics Metrics,
    ILoggerFactory Logs
)
{
    /// <summary>The dispatcher's time. Every time that this worker reports is read from this clock.</summary>
    public DispatcherClock Dispatcher { get; } = new(Pool.Name, Clock, Metrics, Logs.CreateLogger<DispatcherClock>());

    public DroppedDeliveries Dropped { get; } = new(Clock);
}
