using Dispatcher.Contracts;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Embedded;

/// <summary>
/// An embedded server has its messages in memory: when it starts, none is left. So everything live is due at once, its worker's runs are over (it died with them),
/// and the sweep takes it from there.
/// </summary>
internal sealed class EmbeddedStart(IDbContextFactory<DispatcherDb> database) : IHostedService
{
    private static readonly JobState[] OnItsWay =
    [
        JobState.Accepted,
        JobState.Approved,
        JobState.Retrying,
        JobState.Dispatched,
        JobState.Running,
    ];

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);

        // Readers do not wait for the writer.
        await db.Database.ExecuteSqlRawAsync("pragma journal_mode = wal", cancellationToken);
        await db
            .Jobs.Where(job => OnItsWay.Contains(job.State))
            .ExecuteUpdateAsync(
                set => set.SetProperty(job => job.DueAt, 0).SetProperty(job => job.RunUntil, job => job.RunUntil == null ? null : 0),
                cancellationToken
            );
        await db
            .Outbox.Where(message => !message.Parked)
            .ExecuteUpdateAsync(set => set.SetProperty(message => message.NextAt, 0), cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
