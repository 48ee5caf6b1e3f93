using MassTransit;
using MassTransit.DependencyInjection;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Persistence.Sending;

/// <summary>Decides, once for a scope, what its send and publish endpoints are.</summary>
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
            // The consumer's own outbox captures, when its endpoint has one.
            Context = new ConsumeContextScopedBusContext(consuming.Value.GetContext(), clients.Value);
        }
        else if (consumingAnywhere.HasContext)
        {
            // In a consumer of the mediator or of another bus, whose conversation goes on.
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
