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

    private readonly ConcurrentDictionary<string, bool> _pools = new(StringComparer.Ordinal);
    private readonly Channel<bool> _signalled = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite }
    );

    /// <summary>After a claim or an end of an attempt its pool may get more jobs.</summary>
    public void Committed(IReadOnlyList<Move> moves) =>
        Signal(
            moves
                .Where(move => move.Before.State is JobState.Dispatched or JobState.Running && move.Before.State != move.After.State)
                .Select(move => move.Before.Pool)
        );

    /// <summary>Does not wait. A null pool is ignored: the job never had one.</summary>
    public void Signal(params IEnumerable<string?> pools)
    {
        foreach (var pool in pools)
        {
            if (pool is not null && _pools.TryAdd(pool, true))
            {
                _signalled.Writer.TryWrite(true);
            }
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var _ in _signalled.Reader.ReadAllAsync(stoppingToken))
        {
            await Task.Delay(Gathering, time, stoppingToken);
            var pools = _pools.Keys.Where(pool => _pools.TryRemove(pool, out var _)).ToList();
            if (pools.Count == 0)
            {
                // This signal came while others were collected, and was sent with them.
                continue;
            }

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
