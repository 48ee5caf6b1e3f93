using System.Collections.Concurrent;
using Dispatcher.Base;
using Dispatcher.Storage;
using MassTransit;
using MassTransit.RabbitMqTransport;
using RabbitMQ.Client;

namespace Dispatcher.Broker;

/// <summary>
/// Stops consuming while the store is unavailable. Otherwise the broker would close the channels of held messages at its
/// <c>consumer_timeout</c> and deliver them again. Each time counts as a failed delivery, until a valid message is treated as poison.
/// Closing the channels once returns the held messages, which counts one delivery for each outage. Nothing is delivered until the store is
/// available.
/// </summary>
internal sealed partial class StorePause(StoreClock clock, StoreHealth store, TimeProvider time, ILogger<StorePause> logger)
    : Loop(TimeSpan.FromSeconds(1), time, logger),
        IFilter<ChannelContext>
{
    private static readonly TimeSpan CheckInterval = TimeSpan.FromMilliseconds(100);

    /// <summary>A broker answers in milliseconds. The client may never answer if the channel was lost meanwhile.</summary>
    private static readonly TimeSpan MaxClose = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<ChannelContext, bool> _consuming = new(ReferenceEqualityComparer.Instance);
    private bool _isPaused;

    /// <summary>Also while the database can be read and takes no writes.</summary>
    private bool IsUnavailable => !clock.IsTrusted || store.Trouble is not null;

    /// <summary>Runs each time an endpoint connects, before it consumes, and returns when it stops consuming.</summary>
    public async Task Send(ChannelContext context, IPipe<ChannelContext> next)
    {
        while (IsUnavailable)
        {
            await Task.Delay(CheckInterval, Time, context.CancellationToken);
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
        if (IsUnavailable != _isPaused)
        {
            Report(!_isPaused);
        }

        await Task.WhenAll((_isPaused ? _consuming.Keys : []).Select(channel => CloseAsync(channel.Channel, cancellationToken)));
    }

    /// <summary>
    /// Returns without a fault if the channel is closed: the broker has the messages then. Returns after <see cref="MaxClose"/> in any
    /// case: otherwise one lost channel would end every later pause.
    /// </summary>
    private async Task CloseAsync(IChannel channel, CancellationToken cancellationToken)
    {
        try
        {
            await channel.AbortAsync(cancellationToken).WaitAsync(MaxClose, Time, cancellationToken);
        }
        catch (Exception closed) when (closed is ObjectDisposedException or TimeoutException)
        {
            // The channel is closed, or lost. The next round closes it again while its endpoint consumes from it.
        }
    }

    private void Report(bool isPaused)
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
            "The store is unavailable: consuming is paused, and messages stay on the broker until it is available"
        )]
        public static partial void Paused(ILogger logger);

        [LoggerMessage(EventIds.ConsumingResumed, LogLevel.Information, "The store is available: messages are consumed again")]
        public static partial void Resumed(ILogger logger);
    }
}
