using Dispatcher.Persistence.Tables;
using MassTransit;
using MassTransit.Clients;
using MassTransit.DependencyInjection;
using MassTransit.Middleware;
using MassTransit.Middleware.Outbox;
using MassTransit.Transports;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Persistence.Sending;

/// <summary>
/// The send and publish endpoints of a scope outside a consumer. Each send becomes a row of the scope's context and is sent after that is
/// saved.
/// </summary>
internal sealed class CapturingBusContext<TDbContext>(
    ISendEndpointProvider sending,
    IPublishEndpointProvider publishing,
    IClientFactory clients,
    TDbContext db,
    OutboxSignal<TDbContext> signal,
    TimeProvider clock,
    IServiceProvider services
) : ScopedBusContext, OutboxSendContext, IDisposable
    where TDbContext : DbContext
{
    private ISendEndpointProvider? _sending;
    private IPublishEndpoint? _publishing;
    private IScopedClientFactory? _clients;
    private bool _captured;

    public ISendEndpointProvider SendEndpointProvider => _sending ??= new OutboxSendEndpointProvider(this, sending);

    public IPublishEndpoint PublishEndpoint => _publishing ??= new PublishEndpoint(new OutboxPublishEndpointProvider(this, publishing));

    public IScopedClientFactory ClientFactory =>
        _clients ??= new ScopedClientFactory(new ClientFactory(new ScopedClientFactoryContext(clients, services)), null);

    public Task AddSend<T>(SendContext<T> context)
        where T : class
    {
        db.Add(OutboxRow.From(context, cause: null, clock.GetUtcNow(), lease: TimeSpan.Zero));
        if (!_captured)
        {
            _captured = true;
            db.SavedChanges += Saved;
        }

        return Task.CompletedTask;
    }

    public object? GetService(Type serviceType) => services.GetService(serviceType);

    /// <summary>The end of the scope: a transaction in which the context was saved has been committed by now.</summary>
    public void Dispose()
    {
        if (_captured)
        {
            db.SavedChanges -= Saved;
            signal.Set();
        }
    }

    private void Saved(object? sender, SavedChangesEventArgs e)
    {
        if (db.Database.CurrentTransaction is null)
        {
            signal.Set();
        }
    }
}
