using Dispatcher.Persistence.Sending;
using Dispatcher.Persistence.Settings;
using Dispatcher.Persistence.Tables;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Dispatcher.Persistence.Consuming;

/// <summary>Removes inbox rows that are older than <see cref="OutboxOptions.InboxWindow"/>. Any number of processes may run it.</summary>
internal sealed class InboxCleanup<TDbContext>(
    IServiceScopeFactory scopes,
    IOptionsMonitor<OutboxOptions> options,
    TimeProvider clock,
    ILogger<InboxCleanup<TDbContext>> logger
) : OutboxLoop(new Signal(), TimeSpan.FromSeconds(30), clock, logger)
    where TDbContext : DbContext
{
    /// <summary>Rows of one statement, so that its locks are short. A round repeats it until no old row is left.</summary>
    private const int Batch = 1000;

    private readonly OutboxOptions _options = options.Get(typeof(TDbContext).Name);
    private readonly TimeProvider _clock = clock;

    public override async Task<bool> OnceAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<TDbContext>();
        return await db.RemoveOldAsync(_clock.GetUtcNow() - _options.InboxWindow, Batch, cancellationToken) == Batch;
    }
}
