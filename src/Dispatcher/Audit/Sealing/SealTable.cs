using System.Data.Common;
using Dispatcher.Base;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace Dispatcher.Audit.Sealing;

/// <summary>The last seal. If <see cref="Seq"/> is 0, no entry is sealed yet and the hash is empty.</summary>
internal sealed record SealHead(long Seq, byte[] Hash, long LargestEntry);

/// <summary>The result of sealing one batch.</summary>
/// <param name="Entries">Ids of the sealed entries, in order; at most as many as the limit.</param>
/// <param name="Others">
/// Ids of the entries that other processes sealed since the last batch of this process. Null: this is its first batch, or its last seal is
/// no longer in the store.
/// </param>
/// <param name="Before">The last seal when the batch began.</param>
/// <param name="OldestLive">Every transaction before this one had ended when the batch began.</param>
/// <param name="NextTransaction">Later than every transaction that had begun when the batch began.</param>
internal sealed record SealPass(
    IReadOnlyList<long> Entries,
    IReadOnlyList<long>? Others,
    SealHead Before,
    long OldestLive,
    long NextTransaction
);

/// <summary>
/// Seals and checkpoints in the store. The SQL is the same for both databases, except for the lock: on PostgreSQL an advisory lock admits
/// one sealer, SQLite has one writer. Only committed entries are read. An entry without a seal is unsealed, so sealing does not depend
/// on the order of ids or transactions.
/// </summary>
internal sealed class SealTable(IDbContextFactory<DispatcherDb> database)
{
    /// <summary>One sealer at a time over all processes. No other part of the program may use this lock number.</summary>
    private const string TryLock = "select pg_try_advisory_xact_lock(4711003)";

    private const string OldestLive = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint";
    private const string NextTransaction = "pg_snapshot_xmax(pg_current_snapshot())::text::bigint";

    /// <summary>Maximum number of entries in memory, which may have 64 KiB each.</summary>
    private const int Chunk = 250;

    private readonly LastSeals _lastSeals = new();

    /// <summary>The last seal that <see cref="_lastSeals"/> covers. Null: it covers none.</summary>
    private LinkedSeal? _covered;

    /// <summary>
    /// Seals the entries of <paramref name="range"/> without a seal in one transaction. Null: another process holds the lock. One caller
    /// at a time.
    /// </summary>
    public async Task<SealPass?> SealAsync(SealRange range, int limit, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        var at = new Call(transaction.GetDbTransaction(), db.Database.IsNpgsql());
        if (at.IsPostgres && !(bool)(await at.ScalarAsync(TryLock, cancellationToken))!)
        {
            return null;
        }

        // Read committed: each statement from here on sees everything that was committed before the lock was granted.
        var head = await HeadAsync(at, cancellationToken);
        var (oldestLive, nextTransaction) = at.IsPostgres ? await TransactionsAsync(at, cancellationToken) : (0, 0);
        try
        {
            var others = await CoverAsync(at, head, cancellationToken);
            var chain = new SealChain(head, _lastSeals);
            var entries = await SealAsync(at, chain, range, limit, cancellationToken);
            await transaction.CommitAsync(cancellationToken);
            _covered = chain.Last;
            return new SealPass(entries, others, head, oldestLive, nextTransaction);
        }
        catch
        {
            // The seals in memory may not be in the store.
            Forget();
            throw;
        }
    }

    public async Task<SealHead> HeadAsync(CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        return await HeadAsync(new Call(transaction.GetDbTransaction(), db.Database.IsNpgsql()), cancellationToken);
    }

    /// <summary>The last entry of the last checkpoint before a time. Without such a checkpoint: below every id.</summary>
    public async Task<long> LastBeforeAsync(DateTimeOffset time, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var before = Timestamps.Micros(time);
        var last = db
            .Checkpoints.Where(checkpoint => checkpoint.At < before)
            .OrderByDescending(checkpoint => checkpoint.Size)
            .Select(checkpoint => checkpoint.Size)
            .Take(1);
        return await db
                .Seals.Where(seal => last.Contains(seal.Seq))
                .Select(seal => (long?)seal.EntryId)
                .SingleOrDefaultAsync(cancellationToken)
            ?? long.MinValue;
    }

    /// <summary>The hash of a seal. Null: no seal has this number.</summary>
    public async Task<byte[]?> HashAsync(long seq, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        return await db.Seals.Where(seal => seal.Seq == seq).Select(seal => seal.Hash).SingleOrDefaultAsync(cancellationToken);
    }

    /// <summary>The seals after this number, in order, at most <paramref name="limit"/>.</summary>
    public async Task<List<TimelineSeal>> AfterAsync(long seq, int limit, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        return await db
            .Seals.AsNoTracking()
            .Where(seal => seal.Seq > seq)
            .OrderBy(seal => seal.Seq)
            .Take(limit)
            .ToListAsync(cancellationToken);
    }

    /// <summary>The last checkpoint of this key, or of any key if <paramref name="keyId"/> is null. Null: there is none.</summary>
    public async Task<TimelineCheckpoint?> LastCheckpointAsync(string? keyId, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        return await db
            .Checkpoints.AsNoTracking()
            .Where(checkpoint => keyId == null || checkpoint.KeyId == keyId)
            .OrderByDescending(checkpoint => checkpoint.Size)
            .FirstOrDefaultAsync(cancellationToken);
    }

    /// <summary>The statements of dropped days, the one with the largest size first. Their signatures are not checked.</summary>
    public async Task<List<Retention>> RetentionsAsync(CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var details = await db
            .Timeline.Where(entry => entry.JobId == Guid.Empty && entry.Kind == TimelineKinds.Retained)
            .Select(entry => entry.Detail)
            .ToListAsync(cancellationToken);
        return [.. details.Select(Retention.Read).OfType<Retention>().OrderByDescending(retention => retention.Size)];
    }

    public async Task AddAsync(TimelineCheckpoint checkpoint, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        db.Checkpoints.Add(checkpoint);
        await db.SaveChangesAsync(cancellationToken);
    }

    private static async Task<SealHead> HeadAsync(Call at, CancellationToken cancellationToken)
    {
        await using var command = at.Command(
            "select seq, hash, (select max(entry_id) from timeline_seals) from timeline_seals order by seq desc limit 1"
        );
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        return await row.ReadAsync(cancellationToken)
            ? new SealHead(row.GetInt64(0), row.GetFieldValue<byte[]>(1), row.GetInt64(2))
            : new SealHead(0, [], 0);
    }

    private static async Task<(long OldestLive, long NextTransaction)> TransactionsAsync(Call at, CancellationToken cancellationToken)
    {
        await using var command = at.Command($"select {OldestLive}, {NextTransaction}");
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        await row.ReadAsync(cancellationToken);
        return (row.GetInt64(0), row.GetInt64(1));
    }

    /// <summary>Reads the seals of other processes since the last batch. Returns the ids of their entries.</summary>
    private async Task<List<long>?> CoverAsync(Call at, SealHead head, CancellationToken cancellationToken)
    {
        if (_covered is not { } covered || covered.Seq > head.Seq)
        {
            Forget();
            return null;
        }

        var others = new List<long>();
        var mayRetain = false;
        await using var command = at.Command(
            "select entry_id, job_id, seq, hash from timeline_seals where seq >= @covered order by seq",
            ("covered", covered.Seq)
        );
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
        {
            var seal = new LinkedSeal(row.GetInt64(2), row.GetFieldValue<byte[]>(3));
            if (seal.Seq > covered.Seq)
            {
                others.Add(row.GetInt64(0));
                _lastSeals.Add(row.GetGuid(1), seal);
                mayRetain |= row.GetGuid(1) == Guid.Empty;
            }
            else if (!seal.Hash.SequenceEqual(covered.Hash))
            {
                // Somebody changed the seals: this process continues from what the store has.
                Forget();
                return null;
            }
        }

        if (mayRetain)
        {
            ForgetDropped();
        }

        return others;
    }

    /// <summary>
    /// After an entry that may be a retention, the last seals in memory may be dropped: a link to one of them could not be verified. Seals
    /// are dropped only after that entry was sealed.
    /// </summary>
    private void ForgetDropped() => _lastSeals.Clear();

    private void Forget()
    {
        _lastSeals.Clear();
        _covered = null;
    }

    /// <summary>Returns the ids of the sealed entries.</summary>
    private async Task<List<long>> SealAsync(Call at, SealChain chain, SealRange range, int limit, CancellationToken cancellationToken)
    {
        var sealedIds = new List<long>();
        int read;
        do
        {
            var entries = await UnsealedAsync(at, range, Math.Min(Chunk, limit - sealedIds.Count), cancellationToken);
            read = entries.Count;
            if (read > 0)
            {
                await ReadLastSealsAsync(at, entries, cancellationToken);
                await InsertAsync(at, entries.ConvertAll(chain.Add), cancellationToken);
                sealedIds.AddRange(entries.Select(entry => entry.EntryId));
                if (entries.Exists(entry => entry.Kind == TimelineKinds.Retained))
                {
                    ForgetDropped();
                }

                range = range.Above(sealedIds[^1]);
            }
        } while (read == Chunk && sealedIds.Count < limit);

        return sealedIds;
    }

    private static async Task<List<TimelineEntry>> UnsealedAsync(Call at, SealRange range, int limit, CancellationToken cancellationToken)
    {
        // Numbers in the text: the databases have no list parameter in common.
        var gaps = range.Gaps.Count == 0 ? "" : $" or t.entry_id in ({string.Join(',', range.Gaps)})";
        await using var command = at.Command(
            $"""
            select {TimelineRows.Columns} from timeline t
            where (t.entry_id > @after{gaps}) and {TimelineRows.Unsealed}
            order by t.entry_id limit @limit
            """,
            ("after", range.After),
            ("limit", limit)
        );
        var entries = new List<TimelineEntry>();
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
        {
            entries.Add(TimelineRows.Read(row));
        }

        return entries;
    }

    /// <summary>Reads the last seals of those jobs whose last seal is not known here.</summary>
    private async Task ReadLastSealsAsync(Call at, List<TimelineEntry> entries, CancellationToken cancellationToken)
    {
        var jobs = entries.Select(entry => entry.JobId).Where(job => _lastSeals.Of(job) is null).Distinct().ToArray();
        if (jobs.Length == 0)
        {
            return;
        }

        var (rows, values) = at.Rows("j", ("job_id", jobs));
        await using var command = at.Command(
            $"""
            select p.job_id, p.seq, p.hash from {rows}
            join timeline_seals p on p.seq = (select max(x.seq) from timeline_seals x where x.job_id = j.job_id)
            """,
            values
        );
        Array.ForEach(jobs, job => _lastSeals.Add(job, LinkedSeal.None));
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
        {
            _lastSeals.Add(row.GetGuid(0), new LinkedSeal(row.GetInt64(1), row.GetFieldValue<byte[]>(2)));
        }
    }

    private static async Task InsertAsync(Call at, List<TimelineSeal> seals, CancellationToken cancellationToken)
    {
        var (rows, values) = at.Rows(
            "i",
            ("seq", seals.Select(seal => seal.Seq).ToArray()),
            ("entry_id", seals.Select(seal => seal.EntryId).ToArray()),
            ("job_id", seals.Select(seal => seal.JobId).ToArray()),
            ("job_previous", seals.Select(seal => seal.JobPrevious).ToArray()),
            ("hash", seals.Select(seal => seal.Hash).ToArray())
        );
        const string Names = "seq, entry_id, job_id, job_previous, hash";
        await using var insert = at.Command($"insert into timeline_seals ({Names}) select {Names} from {rows}", values);
        await insert.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>The transaction in which statements run, and the kind of its database.</summary>
    private sealed record Call(DbTransaction Transaction, bool IsPostgres)
    {
        public DbCommand Command(string sql, params (string Name, object Value)[] values)
        {
            var command = Transaction.Connection!.CreateCommand();
            command.Transaction = Transaction;
#pragma warning disable CA2100 // Constants of this file and names of parameters.
            command.CommandText = sql;
#pragma warning restore CA2100
            foreach (var (name, value) in values)
            {
                var parameter = command.CreateParameter();
                (parameter.ParameterName, parameter.Value) = (name, value);
                command.Parameters.Add(parameter);
            }

            return command;
        }

        /// <summary>A table expression with these columns, whose arrays have one length, and its parameters.</summary>
        public (string Table, (string Name, object Value)[] Values) Rows(string alias, params (string Name, Array Values)[] columns)
        {
            var names = string.Join(", ", columns.Select(column => column.Name));
            if (IsPostgres)
            {
                return (
                    $"unnest({string.Join(", ", columns.Select(column => $"@{column.Name}"))}) as {alias} ({names})",
                    [.. columns.Select(column => (column.Name, (object)column.Values))]
                );
            }

            var rows = Enumerable.Range(0, columns[0].Values.Length).ToList();
            var selects = rows.Select(i => $"select {string.Join(", ", columns.Select(column => $"@{column.Name}{i} as {column.Name}"))}");
            return (
                $"({string.Join(" union all ", selects)}) as {alias}",
                [.. rows.SelectMany(i => columns.Select(column => ($"{column.Name}{i}", column.Values.GetValue(i)!)))]
            );
        }

        public async Task<object?> ScalarAsync(string sql, CancellationToken cancellationToken)
        {
            await using var command = Command(sql);
            return await command.ExecuteScalarAsync(cancellationToken);
        }
    }
}
