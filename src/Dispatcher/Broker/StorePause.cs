using System.Collections.Concurrent;
using Dispatcher.Base;
using Dispatcher.Storage;
using MassTransit;
using MassTransit.RabbitMqTransport;
using RabbitMQ.Client;

namespace Dispatcher.Broker;

/// <summary>
/// Stops consuming while the store is away. A message that is held meanwhile is closed with its channel at the broker's
/// <c>consumer_timeout</c>, delivered again and held again, each time counted as a failed delivery, until a good message is set aside as
/// poison. Closing the channels once returns what is held, which counts one delivery for each outage, and nothing is delivered until the
/// store is back.
/// </summary>
internal sealed partial class StorePause(StoreClock clock, StoreHealth store, TimeProvider time, ILogger<StorePause> logger)
    : Loop(TimeSpan.FromSeconds(1), time, logger),
        IFilter<ChannelContext>
{
    private static readonly TimeSpan LookPause = TimeSpan.FromMilliseconds(100);

    private readonly ConcurrentDictionary<ChannelContext, bool> _consuming = new(ReferenceEqualityComparer.Instance);
    private bool _isPaused;

    /// <summary>A database that can be read but takes no writes is away too.</summary>
    private bool IsAway => !clock.IsTrusted || store.Trouble is not null;

    /// <summary>Runs for each endpoint of a bus, each time it connects, before it consumes, until it stops consuming.</summary>
    public async Task Send(ChannelContext context, IPipe<ChannelContext> next)
    {
        while (IsAway)
        {
            await Task.Delay(LookPause, Time, context.CancellationToken);
        }

        _consuming[context] = true;
        try
        {
            await next.Send(context);
        }
        finally
        {
            _consuming.TryRemove(context, out _);
        }
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("storePause");

    public override async Task OnceAsync(CancellationToken cancellationToken)
    {
        if (IsAway != _isPaused)
        {
            Tell(!_isPaused);
        }

        foreach (var channel in _isPaused ? _consuming.Keys : [])
        {
            await CloseAsync(channel.Channel, cancellationToken);
        }
    }

    /// <summary>Also when the broker is away: then it has given the messages back already.</summary>
    private static async Task CloseAsync(IChannel channel, CancellationToken cancellationToken)
    {
        try
        {
            await channel.AbortAsync(cancellationToken);
        }
        catch (ObjectDisposedException)
        {
            // It is closed.
        }
    }

    private void Tell(bool isPaused)
    {
        _isPaused = isPaused;
        if (isPaused)
        {
            Log.Paused(logger);
        }
        else
        {
            Log.Resumed(logger);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.ConsumingPaused,
            LogLevel.Warning,
            "The store is away: messages stay on the broker, and nothing is consumed until it is back"
        )]
        public static partial void Paused(ILogger logger);

        [LoggerMessage(EventIds.ConsumingResumed, LogLevel.Information, "The store is back: messages are consumed again")]
        public static partial void Resumed(ILogger logger);
    }
}
