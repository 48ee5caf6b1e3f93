using System.Text.Json.Serialization;
using Dispatcher.Base;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Api;

/// <summary>The stored list of running server processes.</summary>
internal sealed class ProcessRegister(IDbContextFactory<DispatcherDb> database, StoreClock clock)
{
    /// <summary>30 rounds of <see cref="ProcessBeat"/>: a process that has not written for longer has ended or hangs.</summary>
    public static readonly TimeSpan StaleAfter = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan RemovedAfter = TimeSpan.FromDays(1);

    /// <summary>Writes that the process runs, and removes processes that were not seen for a day.</summary>
    public async Task NoteAsync(RunningProcess process, CancellationToken cancellationToken)
    {
        var now = clock.Now;
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var known = await db
            .Processes.Where(row => row.InstanceId == process.InstanceId)
            .ExecuteUpdateAsync(
                set =>
                    set.SetProperty(row => row.PolicyHash, process.PolicyHash)
                        .SetProperty(row => row.FolderHash, process.FolderHash)
                        .SetProperty(row => row.FolderErrors, process.FolderErrors)
                        .SetProperty(row => row.SeenAt, now),
                cancellationToken
            );
        if (known == 0)
        {
            db.Processes.Add(process with { StartedAt = now, SeenAt = now });
            await db.SaveChangesAsync(cancellationToken);
        }

        var oldest = now - Timestamps.Micros(RemovedAfter);
        await db.Processes.Where(row => row.SeenAt < oldest).ExecuteDeleteAsync(cancellationToken);
    }

    public async Task RemoveAsync(Guid instanceId, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        await db.Processes.Where(row => row.InstanceId == instanceId).ExecuteDeleteAsync(cancellationToken);
    }

    /// <summary>Oldest first.</summary>
    public async Task<IReadOnlyList<ProcessView>> ListAsync(CancellationToken cancellationToken)
    {
        var stale = clock.Now - Timestamps.Micros(StaleAfter);
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var rows = await db
            .Processes.AsNoTracking()
            .OrderBy(row => row.StartedAt)
            .ThenBy(row => row.InstanceId)
            .ToListAsync(cancellationToken);
        return rows.ConvertAll(row => ProcessView.Of(row, row.SeenAt < stale));
    }
}

/// <summary>A process as the API shows it. Stale: not seen for more than a minute.</summary>
internal sealed record ProcessView(
    Guid InstanceId,
    string Host,
    int Pid,
    string Version,
    string PolicyHash,
    string? FolderHash,
    int FolderErrors,
    DateTimeOffset StartedAt,
    DateTimeOffset SeenAt,
    bool Stale
)
{
    /// <summary>For example <c>mq-1/4711</c>.</summary>
    [JsonIgnore]
    public string Name => $"{Host}/{Pid}";

    public static ProcessView Of(RunningProcess row, bool stale) =>
        new(
            row.InstanceId,
            row.Host,
            row.Pid,
            row.Version,
            row.PolicyHash,
            row.FolderHash,
            row.FolderErrors,
            Timestamps.At(row.StartedAt),
            Timestamps.At(row.SeenAt),
            stale
        );
}
