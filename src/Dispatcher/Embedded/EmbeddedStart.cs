using Dispatcher.Contracts;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Embedded;

/// <summary>
/// Repairs the store at the start of an embedded server. Its messages were in memory and are lost, and the runs of its worker ended with
/// the process. So every live job is due at once, and the sweep repairs it.
/// </summary>
internal sealed class EmbeddedStart(IDbContextFactory<DispatcherDb> database) : IHostedService
{
    private static readonly JobState[] Live =
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
            .Jobs.Where(job => Live.Contains(job.State))
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
