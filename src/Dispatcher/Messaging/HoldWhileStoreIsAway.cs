using Dispatcher.Storing;
using MassTransit;

namespace Dispatcher.Messaging;

/// <summary>
/// A lost database is never a fault of the message: it waits here until the store is back, and is neither returned, which would count against it, nor set
/// aside. The broker keeps what is beyond the prefetch.
/// </summary>
internal sealed class HoldWhileStoreIsAway(TimeProvider time) : IFilter<ConsumeContext<RawMessage>>
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    public async Task Send(ConsumeContext<RawMessage> context, IPipe<ConsumeContext<RawMessage>> next)
    {
        while (true)
        {
            try
            {
                await next.Send(context);
                return;
            }
            catch (Exception away) when (away.IsStoreAway())
            {
                await Task.Delay(Pause, time, context.CancellationToken);
            }
        }
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("holdWhileStoreIsAway");
}
