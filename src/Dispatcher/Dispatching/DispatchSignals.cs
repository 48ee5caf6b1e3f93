using System.Collections.Concurrent;
using System.Threading.Channels;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Outbox;

namespace Dispatcher.Dispatching;

/// <summary>
/// Sends a dispatch message when something has happened in this process that may let a job go: an attempt was claimed or has ended, a worker came. Many are told as one.
/// Such a message may be lost: the sweep looks at every line twice a second.
/// </summary>
internal sealed partial class DispatchSignals(IOutboxTransport transport, TimeProvider time, ILogger<DispatchSignals> logger)
    : BackgroundService,
        IMoveSubscriber
{
    /// <summary>Long enough to gather what happens at once, short against a run.</summary>
    private static readonly TimeSpan Gathering = TimeSpan.FromMilliseconds(5);

    private readonly ConcurrentDictionary<string, bool> _pools = new(StringComparer.Ordinal);
    private readonly Channel<bool> _any = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite }
    );

    /// <summary>A move that ends or claims an attempt frees a slot of its pool.</summary>
    public void Committed(IReadOnlyList<Move> moves) =>
        Signal(
            moves
                .Where(move => move.Before.State is JobState.Dispatched or JobState.Running && move.Before.State != move.After.State)
                .Select(move => move.Before.Pool)
        );

    public void Signal(params IEnumerable<string?> pools)
    {
        foreach (var pool in pools)
        {
            if (pool is not null && _pools.TryAdd(pool, true))
            {
                _any.Writer.TryWrite(true);
            }
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var _ in _any.Reader.ReadAllAsync(stoppingToken))
        {
            await Task.Delay(Gathering, time, stoppingToken);
            var pools = _pools.Keys.Where(pool => _pools.TryRemove(pool, out var _)).ToList();
            if (pools.Count == 0)
            {
                // It came while others were gathered, and was told with them.
                continue;
            }

            try
            {
                foreach (var some in pools.Chunk(DispatchSignal.MostPools))
                {
                    await transport.SendAsync(DispatchSignal.Message(some, time), stoppingToken);
                }
            }
#pragma warning disable CA1031 // The sweep finds what this did not tell.
            catch (Exception away) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                Log.NotSent(logger, away.Message);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventIds.WakeNotSent, LogLevel.Debug, "The dispatch of free places was not woken; the sweep does it: {Reason}")]
        public static partial void NotSent(ILogger logger, string reason);
    }
}
