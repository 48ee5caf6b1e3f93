using Dispatcher.Persistence.Sending;
using Dispatcher.Persistence.Tables;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Dispatcher.Persistence.Consuming;

/// <summary>Forgets messages that were consumed so long ago that no duplicate is to be expected. Any number of processes may run it.</summary>
internal sealed class InboxCleanup<TDbContext>(
    IServiceScopeFactory scopes,
    IOptionsMonitor<OutboxOptions> options,
    TimeProvider clock,
    ILogger<InboxCleanup<TDbContext>> logger
) : OutboxLoop(new Signal(), TimeSpan.FromSeconds(30), clock, logger)
    where TDbContext : DbContext
{
    /// <summary>A short lock, and with a round every 30 s that goes on while there is more, no limit on how many in all.</summary>
    private const int Batch = 1000;

    private readonly OutboxOptions _options = options.Get(typeof(TDbContext).Name);
    private readonly TimeProvider _clock = clock;

    public override async Task<bool> OnceAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<TDbContext>();
        return await db.ForgetAsync(_clock.GetUtcNow() - _options.InboxWindow, Batch, cancellationToken) == Batch;
    }
}
