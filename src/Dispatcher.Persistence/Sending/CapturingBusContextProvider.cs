using MassTransit;
using MassTransit.DependencyInjection;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Persistence.Sending;

/// <summary>Chooses the send and publish endpoints of a scope, once.</summary>
internal sealed class CapturingBusContextProvider<TDbContext> : IScopedBusContextProvider<IBus>, IDisposable
    where TDbContext : DbContext
{
    public CapturingBusContextProvider(
        IBus bus,
        TDbContext db,
        OutboxSignal<TDbContext> signal,
        TimeProvider clock,
        Bind<IBus, IClientFactory> clients,
        Bind<IBus, IScopedConsumeContextProvider> consuming,
        IScopedConsumeContextProvider consumingAnywhere,
        IServiceProvider services
    )
    {
        if (consuming.Value.HasContext)
        {
            // If the endpoint of the consumer has an outbox, that one captures the sends.
            Context = new ConsumeContextScopedBusContext(consuming.Value.GetContext(), clients.Value);
        }
        else if (consumingAnywhere.HasContext)
        {
            // In a consumer of the mediator or of another bus: keep its conversation id.
            var outer = consumingAnywhere.GetContext();
            Context = new CapturingBusContext<TDbContext>(
                new ScopedConsumeSendEndpointProvider(bus, outer, services),
                new ScopedConsumePublishEndpointProvider(bus, outer, services),
                clients.Value,
                db,
                signal,
                clock,
                services
            );
        }
        else
        {
            Context = new CapturingBusContext<TDbContext>(bus, bus, clients.Value, db, signal, clock, services);
        }
    }

    public ScopedBusContext Context { get; }

    public void Dispose() => (Context as IDisposable)?.Dispose();
}
