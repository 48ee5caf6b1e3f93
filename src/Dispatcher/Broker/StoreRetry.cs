using Dispatcher.Base;
using MassTransit;

namespace Dispatcher.Broker;

/// <summary>
/// A lost database, or a bundle that cannot be read where one is needed, is never a fault of the message: it is held here and tried again until that is back or the process
/// stops. Returned to the broker instead, it would reach the queue's delivery limit within seconds and be set aside. When the store is away
/// for longer, <see cref="StorePause"/> stops consuming.
/// </summary>
internal sealed partial class StoreRetry(TimeProvider time, ILogger<StoreRetry> logger) : IFilter<ConsumeContext>
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    public async Task Send(ConsumeContext context, IPipe<ConsumeContext> next)
    {
        for (var pause = TimeSpan.FromMilliseconds(100); ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            try
            {
                await next.Send(context);
                return;
            }
            catch (Exception lost) when (lost.IsStoreUnavailable() || lost is BundleUnavailableException)
            {
                // An outage of the whole store holds every message, and the store reports it once for all of them.
                if (!lost.IsOutage())
                {
                    Log.Waits(logger, context.ReceiveContext.InputAddress, pause, lost.Message);
                }

                await Task.Delay(pause, time, context.CancellationToken);
            }
        }
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("storeWait");

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.MessageWaits,
            LogLevel.Warning,
            "What a message of {Endpoint} needs is away; it is held and tried again in {Pause}: {Reason}"
        )]
        public static partial void Waits(ILogger logger, Uri endpoint, TimeSpan pause, string reason);
    }
}
