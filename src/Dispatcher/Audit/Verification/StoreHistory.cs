using System.Data;
using System.Data.Common;
using System.Runtime.CompilerServices;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace Dispatcher.Audit.Verification;

/// <summary>The history in the database, read page by page in one snapshot. It only reads, and may run beside servers that write.</summary>
internal sealed class StoreHistory : IHistory
{
    private const int Page = 5_000;

    /// <summary>A page of a large history may take longer than the timeout of the server's statements.</summary>
    private const int TimeoutSeconds = 600;

    private readonly DispatcherDb _db;
    private readonly IDbContextTransaction _snapshot;

    private StoreHistory(DispatcherDb db, IDbContextTransaction snapshot) => (_db, _snapshot) = (db, snapshot);

    public static async Task<StoreHistory> OpenAsync(IDbContextFactory<DispatcherDb> database, CancellationToken cancellationToken)
    {
        var db = await database.CreateDbContextAsync(cancellationToken);
        db.Database.SetCommandTimeout(TimeoutSeconds);

        // On SQLite this level is a snapshot too, and it does not wait for the writer.
        var level = db.Database.IsNpgsql() ? IsolationLevel.RepeatableRead : IsolationLevel.ReadUncommitted;
        return new StoreHistory(db, await db.Database.BeginTransactionAsync(level, cancellationToken));
    }

    public async IAsyncEnumerable<TimelineCheckpoint> CheckpointsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (size, key) = (long.MinValue, "");
        List<TimelineCheckpoint> page;
        do
        {
            page = await _db
                .Checkpoints.AsNoTracking()
                .Where(checkpoint => checkpoint.Size > size || (checkpoint.Size == size && string.Compare(checkpoint.KeyId, key) > 0))
                .OrderBy(checkpoint => checkpoint.Size)
                .ThenBy(checkpoint => checkpoint.KeyId)
                .Take(Page)
                .ToListAsync(cancellationToken);
            foreach (var checkpoint in page)
            {
                (size, key) = (checkpoint.Size, checkpoint.KeyId);
                yield return checkpoint;
            }
        } while (page.Count == Page);
    }

    public IAsyncEnumerable<byte[]> RetentionsAsync(CancellationToken cancellationToken) =>
        _db
            .Timeline.AsNoTracking()
            .Where(entry => entry.JobId == Guid.Empty && entry.Kind == TimelineKinds.Retained)
            .OrderBy(entry => entry.EntryId)
            .Select(entry => entry.Detail)
            .AsAsyncEnumerable();

    public async IAsyncEnumerable<HistoryEntry> EntriesAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var after = long.MinValue;
        List<HistoryEntry> page;
        do
        {
            page = await PageAsync(
                $"""
                select {TimelineRows.Columns}, s.seq, s.entry_id, s.job_id, s.job_previous, s.hash, p.hash
                from timeline_seals s left join timeline t on t.entry_id = s.entry_id left join timeline_seals p on p.seq = s.job_previous
                where s.seq > @after order by s.seq limit {Page}
                """,
                after,
                Sealed,
                cancellationToken
            );
            foreach (var step in page)
            {
                after = step.Seal!.Seq;
                yield return step;
            }
        } while (page.Count == Page);

        after = long.MinValue;
        do
        {
            page = await PageAsync(
                $"""
                select {TimelineRows.Columns} from timeline t
                where t.entry_id > @after and {TimelineRows.Unsealed}
                order by t.entry_id limit {Page}
                """,
                after,
                row => new HistoryEntry(null, [], TimelineRows.Read(row)),
                cancellationToken
            );
            foreach (var step in page)
            {
                after = step.Entry!.EntryId;
                yield return step;
            }
        } while (page.Count == Page);
    }

    public bool HasRows => true;

    public async IAsyncEnumerable<IncompleteJob> RowGapsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var gap in UndispatchedAsync(cancellationToken))
        {
            yield return gap;
        }

        await foreach (var gap in new StoreRows(_db).CompareAsync(cancellationToken))
        {
            yield return gap;
        }
    }

    private async IAsyncEnumerable<IncompleteJob> UndispatchedAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var command = Command(
            $"select j.job_id, j.attempt, j.state from jobs j where {UndispatchedJobs.Condition} order by j.job_id"
        );
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
        {
            var (jobId, attempt, state) = (row.GetGuid(0), row.GetInt32(1), row.GetString(2));
            yield return new IncompleteJob(
                Gap.StateWithoutDispatch,
                jobId,
                null,
                attempt,
                $"the job is {state}, attempt {attempt}, but no entry records that dispatch"
            );
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _snapshot.DisposeAsync();
        await _db.DisposeAsync();
    }

    /// <summary>A command in the snapshot of this history.</summary>
    public DbCommand Command(string sql)
    {
        var command = _db.Database.GetDbConnection().CreateCommand();
        command.Transaction = _snapshot.GetDbTransaction();
        command.CommandTimeout = TimeoutSeconds;
#pragma warning disable CA2100 // Constants of this file.
        command.CommandText = sql;
#pragma warning restore CA2100
        return command;
    }

    private static HistoryEntry Sealed(DbDataReader row)
    {
        const int Seal = TimelineRows.Count;
        var seal = new TimelineSeal
        {
            Seq = row.GetInt64(Seal),
            EntryId = row.GetInt64(Seal + 1),
            JobId = row.GetGuid(Seal + 2),
            JobPrevious = row.GetInt64(Seal + 3),
            Hash = row.GetFieldValue<byte[]>(Seal + 4),
        };
        return new HistoryEntry(
            seal,
            row.IsDBNull(Seal + 5) ? [] : row.GetFieldValue<byte[]>(Seal + 5),
            row.IsDBNull(0) ? null : TimelineRows.Read(row)
        );
    }

    private async Task<List<HistoryEntry>> PageAsync(
        string sql,
        long after,
        Func<DbDataReader, HistoryEntry> read,
        CancellationToken cancellationToken
    )
    {
        await using var command = Command(sql);
        var parameter = command.CreateParameter();
        (parameter.ParameterName, parameter.Value) = ("after", after);
        command.Parameters.Add(parameter);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var page = new List<HistoryEntry>();
        while (await row.ReadAsync(cancellationToken))
        {
            page.Add(read(row));
        }

        return page;
    }
}
