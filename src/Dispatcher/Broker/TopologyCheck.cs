using MassTransit;
using MassTransit.RabbitMqTransport;

namespace Dispatcher.Broker;

/// <summary>
/// Verifies the topology each time an endpoint connects or its queue was deleted, before MassTransit declares the queue without its
/// bindings.
/// </summary>
internal sealed class TopologyCheck(RabbitTopology topology) : IFilter<ChannelContext>
{
    public async Task Send(ChannelContext context, IPipe<ChannelContext> next)
    {
        try
        {
            await topology.VerifyAsync(context.CancellationToken);
        }
#pragma warning disable CA1031 // The endpoint connects in any case. Readiness and the next round of the loop report the fault.
        catch (Exception) when (!context.CancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
        { }

        await next.Send(context);
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("topologyCheck");
}
