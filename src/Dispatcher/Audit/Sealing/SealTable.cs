using Dispatcher.Base;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace Dispatcher.Audit.Sealing;

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

    /// <summary>No transaction lasts as long. An older entry without a seal waits for a pass over all entries.</summary>
    private static readonly TimeSpan StartAge = TimeSpan.FromMinutes(10);

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
        var at = new SealCall(transaction.GetDbTransaction(), db.Database.IsNpgsql());
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
        return await HeadAsync(new SealCall(transaction.GetDbTransaction(), db.Database.IsNpgsql()), cancellationToken);
    }

    /// <summary>
    /// Where a process begins to seal: after the last checkpoint that is older than <see cref="StartAge"/>. Without such a checkpoint:
    /// before every id.
    /// </summary>
    /// <param name="now">The time of the process.</param>
    /// <param name="cancellationToken">Stops the read.</param>
    public async Task<long> StartAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var before = Timestamps.Micros(now - StartAge);
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

    private static async Task<SealHead> HeadAsync(SealCall at, CancellationToken cancellationToken)
    {
        await using var command = at.Command(
            "select seq, hash, (select max(entry_id) from timeline_seals) from timeline_seals order by seq desc limit 1"
        );
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        return await row.ReadAsync(cancellationToken)
            ? new SealHead(row.GetInt64(0), row.GetFieldValue<byte[]>(1), row.GetInt64(2))
            : new SealHead(0, [], 0);
    }

    private static async Task<(long OldestLive, long NextTransaction)> TransactionsAsync(SealCall at, CancellationToken cancellationToken)
    {
        await using var command = at.Command($"select {OldestLive}, {NextTransaction}");
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        await row.ReadAsync(cancellationToken);
        return (row.GetInt64(0), row.GetInt64(1));
    }

    /// <summary>Reads the seals of other processes since the last batch. Returns the ids of their entries.</summary>
    private async Task<List<long>?> CoverAsync(SealCall at, SealHead head, CancellationToken cancellationToken)
    {
        if (_covered is not { } covered || covered.Seq > head.Seq)
        {
            Forget();
            return null;
        }

        var (others, mayRetain) = (new List<long>(), false);
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
                var job = row.GetGuid(1);
                _lastSeals.Add(job, seal);
                mayRetain |= job == Guid.Empty;
            }
            else if (!seal.Hash.SequenceEqual(covered.Hash))
            {
                // Somebody changed the seals: this process continues from what the store has.
                Forget();
                return null;
            }
        }

        ForgetDropped(mayRetain);
        return others;
    }

    /// <summary>
    /// After an entry that may be a retention, the last seals in memory may be dropped: a link to one of them could not be verified. Seals
    /// are dropped only after that entry was sealed.
    /// </summary>
    private void ForgetDropped(bool mayRetain)
    {
        if (mayRetain)
        {
            _lastSeals.Clear();
        }
    }

    private void Forget()
    {
        _lastSeals.Clear();
        _covered = null;
    }

    /// <summary>Returns the ids of the sealed entries.</summary>
    private async Task<List<long>> SealAsync(SealCall at, SealChain chain, SealRange range, int limit, CancellationToken cancellationToken)
    {
        var sealedIds = new List<long>();
        int read;
        do
        {
            var entries = await at.UnsealedAsync(range, Math.Min(Chunk, limit - sealedIds.Count), cancellationToken);
            read = entries.Count;
            if (read > 0)
            {
                await ReadLastSealsAsync(at, entries, cancellationToken);
                await at.InsertAsync(entries.ConvertAll(chain.Add), cancellationToken);
                sealedIds.AddRange(entries.Select(entry => entry.EntryId));
                ForgetDropped(entries.Exists(entry => entry.Kind == TimelineKinds.Retained));
                range = range.Above(sealedIds[^1]);
            }
        } while (read == Chunk && sealedIds.Count < limit);

        return sealedIds;
    }

    /// <summary>Reads the last seals of those jobs whose last seal is not known here.</summary>
    private async Task ReadLastSealsAsync(SealCall at, List<TimelineEntry> entries, CancellationToken cancellationToken)
    {
        var jobs = entries.Select(entry => entry.JobId).Where(job => _lastSeals.Of(job) is null).Distinct().ToArray();
        if (jobs.Length == 0)
        {
            return;
        }

        // Not a join: while the table is small PostgreSQL would read all of it, and keep that plan while the table grows.
        static string Last(string column) => $"select {column} from timeline_seals p where p.job_id = j.job_id order by seq desc limit 1";
        var (rows, values) = at.Rows("j", ("job_id", jobs));
        await using var command = at.Command(
            $"""
            select j.job_id, ({Last("seq")}), ({Last("hash")}) from {rows}
            """,
            values
        );
        Array.ForEach(jobs, job => _lastSeals.Add(job, LinkedSeal.None));
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
        {
            if (!row.IsDBNull(1))
            {
                _lastSeals.Add(row.GetGuid(0), new LinkedSeal(row.GetInt64(1), row.GetFieldValue<byte[]>(2)));
            }
        }
    }
}
