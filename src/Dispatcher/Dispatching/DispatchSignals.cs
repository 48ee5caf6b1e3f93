using System.Collections.Concurrent;
using System.Threading.Channels;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Outbox;

namespace Dispatcher.Dispatching;

/// <summary>
/// Sends a dispatch message when an event of this process may free a slot: an attempt was claimed or ended, or a worker registered. Signals
/// that come together are sent as one message. The message may be lost: the sweep checks every backlog twice a second.
/// </summary>
internal sealed partial class DispatchSignals(IOutboxTransport transport, TimeProvider time, ILogger<DispatchSignals> logger)
    : BackgroundService,
        IMoveSubscriber
{
    /// <summary>Long enough to collect signals that come together, short compared with a run.</summary>
    private static readonly TimeSpan Gathering = TimeSpan.FromMilliseconds(5);

    /// <summary>
    /// The same for claims and ends. A pool with short runs has further attempts to claim meanwhile, so one dispatch fills many slots.
    /// </summary>
    private static readonly TimeSpan GatheringOfSlots = TimeSpan.FromMilliseconds(20);

    /// <summary>When the signal of a pool is sent, by the pool's name.</summary>
    private readonly ConcurrentDictionary<string, long> _pools = new(StringComparer.Ordinal);
    private readonly Channel<bool> _signalled = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite }
    );

    /// <summary>After a claim or an end of an attempt its pool may get more jobs.</summary>
    public void Committed(IReadOnlyList<Move> moves) =>
        Signal(
            moves
                .Where(move => move.Before.State is JobState.Dispatched or JobState.Running && move.Before.State != move.After.State)
                .Select(move => move.Before.Pool)
                .Distinct(),
            GatheringOfSlots
        );

    /// <summary>Does not wait. A null pool is ignored: the job never had one.</summary>
    public void Signal(params IEnumerable<string?> pools) => Signal(pools, Gathering);

    private void Signal(IEnumerable<string?> pools, TimeSpan gathering)
    {
        var at = time.GetTimestamp() + (long)(gathering.TotalSeconds * time.TimestampFrequency);
        foreach (var pool in pools)
        {
            if (pool is not null)
            {
                _pools.AddOrUpdate(pool, at, (_, before) => Math.Min(before, at));
                _signalled.Writer.TryWrite(true);
            }
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var _ in _signalled.Reader.ReadAllAsync(stoppingToken))
        {
            while (!_pools.IsEmpty)
            {
                await Task.Delay(Gathering, time, stoppingToken);
                await SendAsync([.. _pools.Where(IsDue).Where(_pools.TryRemove).Select(pool => pool.Key)], stoppingToken);
            }
        }
    }

    private bool IsDue(KeyValuePair<string, long> pool) => pool.Value <= time.GetTimestamp();

    private async Task SendAsync(IReadOnlyList<string> pools, CancellationToken stoppingToken)
    {
        try
        {
            foreach (var chunk in pools.Chunk(DispatchSignal.MaxPools))
            {
                await transport.SendAsync(DispatchSignal.Message(chunk, time), stoppingToken);
            }
        }
#pragma warning disable CA1031 // The sweep dispatches what was not signalled.
        catch (Exception fault) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
        {
            Log.NotSent(logger, string.Join(", ", pools), fault.Message);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.SignalNotSent,
            LogLevel.Debug,
            "Failed to publish the dispatch signal for pools {Pools}; the sweep dispatches their jobs within 1 s: {Reason}"
        )]
        public static partial void NotSent(ILogger logger, string pools, string reason);
    }
}
