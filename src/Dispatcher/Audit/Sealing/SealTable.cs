using System.Data.Common;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace Dispatcher.Audit.Sealing;

/// <summary>The last seal. If <see cref="Seq"/> is 0, no entry is sealed yet and the hash is empty.</summary>
internal sealed record SealHead(long Seq, byte[] Hash, long LargestEntry);

/// <summary>The result of sealing one batch.</summary>
/// <param name="Sealed">Number of entries sealed, at most the limit.</param>
/// <param name="Last">The largest entry id among them. 0: there were none.</param>
/// <param name="Before">The last seal when the batch began.</param>
/// <param name="OldestLive">Every transaction before this one had ended when the batch began.</param>
/// <param name="NextTransaction">Later than every transaction that had begun when the batch began.</param>
internal sealed record SealPass(int Sealed, long Last, SealHead Before, long OldestLive, long NextTransaction);

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

    /// <summary>Maximum number of rows in one insert.</summary>
    private const int Chunk = 250;

    /// <summary>Seals entries after <paramref name="after"/> in one transaction. Null: another process holds the lock.</summary>
    public async Task<SealPass?> SealAsync(long after, int limit, CancellationToken cancellationToken)
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
        var (pass, seals) = await ChainAsync(at, after, limit, new SealPass(0, 0, head, oldestLive, nextTransaction), cancellationToken);
        foreach (var chunk in seals.Chunk(Chunk))
        {
            await InsertAsync(at, chunk, cancellationToken);
        }

        await transaction.CommitAsync(cancellationToken);
        return pass;
    }

    public async Task<SealHead> HeadAsync(CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        return await HeadAsync(new Call(transaction.GetDbTransaction(), db.Database.IsNpgsql()), cancellationToken);
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

    /// <summary>Reads entries one by one and links each to the seals before it, so that only seals are kept in memory.</summary>
    private static async Task<(SealPass Pass, List<TimelineSeal> Seals)> ChainAsync(
        Call at,
        long after,
        int limit,
        SealPass pass,
        CancellationToken cancellationToken
    )
    {
        await using var command = at.Command(
            $"""
            select {TimelineRows.Columns}, p.seq, p.hash
            from timeline t left join timeline_seals p on p.seq = (select max(x.seq) from timeline_seals x where x.job_id = t.job_id)
            where t.entry_id > @after and {TimelineRows.Unsealed}
            order by t.entry_id limit @limit
            """,
            ("after", after),
            ("limit", limit)
        );
        var seals = new List<TimelineSeal>();
        var ofJobs = new Dictionary<Guid, TimelineSeal>();
        var (seq, hash) = (pass.Before.Seq, pass.Before.Hash);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
        {
            var entry = TimelineRows.Read(row);
            var (jobPrevious, jobPreviousHash) =
                ofJobs.TryGetValue(entry.JobId, out var ofJob) ? (ofJob.Seq, ofJob.Hash)
                : row.IsDBNull(TimelineRows.Count) ? (0, [])
                : (row.GetInt64(TimelineRows.Count), row.GetFieldValue<byte[]>(TimelineRows.Count + 1));
            hash = SealHash.Of(entry, new SealPosition(++seq, hash, jobPrevious, jobPreviousHash));
            var seal = new TimelineSeal
            {
                Seq = seq,
                EntryId = entry.EntryId,
                JobId = entry.JobId,
                JobPrevious = jobPrevious,
                Hash = hash,
            };
            ofJobs[entry.JobId] = seal;
            seals.Add(seal);
        }

        return (pass with { Sealed = seals.Count, Last = seals.Count == 0 ? 0 : seals[^1].EntryId }, seals);
    }

    private static async Task InsertAsync(Call at, TimelineSeal[] seals, CancellationToken cancellationToken)
    {
        var rows = string.Join(", ", seals.Select((_, i) => $"(@s{i}, @e{i}, @j{i}, @p{i}, @h{i})"));
        var values = seals.SelectMany(
            (seal, i) =>
                new (string, object)[]
                {
                    ($"s{i}", seal.Seq),
                    ($"e{i}", seal.EntryId),
                    ($"j{i}", seal.JobId),
                    ($"p{i}", seal.JobPrevious),
                    ($"h{i}", seal.Hash),
                }
        );
        await using var insert = at.Command(
            $"insert into timeline_seals (seq, entry_id, job_id, job_previous, hash) values {rows}",
            [.. values]
        );
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

        public async Task<object?> ScalarAsync(string sql, CancellationToken cancellationToken)
        {
            await using var command = Command(sql);
            return await command.ExecuteScalarAsync(cancellationToken);
        }
    }
}
