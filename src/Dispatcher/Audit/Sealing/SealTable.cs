using System.Data.Common;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace Dispatcher.Audit.Sealing;

/// <summary>The last seal. <see cref="Seq"/> 0: there is none, and the hash is empty.</summary>
internal sealed record SealHead(long Seq, byte[] Hash, long LargestEntry);

/// <summary>What one pass of the sealer found and did.</summary>
/// <param name="Sealed">How many entries it sealed, at most as many as it may.</param>
/// <param name="Last">The largest entry id among them; 0: there were none.</param>
/// <param name="Before">The head when it began.</param>
/// <param name="OldestLive">Every transaction before this one had ended when it began.</param>
/// <param name="NextTransaction">Later than every transaction there had been when it began.</param>
internal sealed record SealPass(int Sealed, long Last, SealHead Before, long OldestLive, long NextTransaction);

/// <summary>
/// Seals and checkpoints in the store; one text for both databases. What differs is who may seal: on PostgreSQL whoever has the advisory lock, SQLite has one writer.
/// Whatever is seen is committed. What is not sealed is found by its having no seal, so that no order of ids or transactions has to be trusted.
/// </summary>
internal sealed class SealTable(IDbContextFactory<DispatcherDb> database)
{
    /// <summary>One sealer at a time, over all processes. The number only has to be ours.</summary>
    private const string TryLock = "select pg_try_advisory_xact_lock(4711003)";

    private const string OldestLive = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint";
    private const string NextTransaction = "pg_snapshot_xmax(pg_current_snapshot())::text::bigint";

    /// <summary>Rows in one insert.</summary>
    private const int Chunk = 250;

    /// <summary>Seals entries after <paramref name="after"/>, in one transaction. Null: another process is at it.</summary>
    public async Task<SealPass?> SealAsync(long after, int limit, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        var at = new Call(transaction.GetDbTransaction(), db.Database.IsNpgsql());
        if (at.IsPostgres && !(bool)(await at.ScalarAsync(TryLock, cancellationToken))!)
        {
            return null;
        }

        // Each statement looks anew: what is read from here on was committed before the lock was given.
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

    /// <summary>The hash of a seal. Null: there is none of this number.</summary>
    public async Task<byte[]?> HashAsync(long seq, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        return await db.Seals.Where(seal => seal.Seq == seq).Select(seal => seal.Hash).SingleOrDefaultAsync(cancellationToken);
    }

    /// <summary>Seals after this one, in order, at most <paramref name="limit"/>.</summary>
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

    /// <summary>The last checkpoint that this key signed; null: none. Of any key when it is null.</summary>
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

    /// <summary>Reads entries one by one and links each to what is before it, so that only their seals are kept in memory.</summary>
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
            where t.entry_id > @after and not exists (select 1 from timeline_seals s where s.entry_id = t.entry_id and s.entry_id > @after)
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
            hash = SealHash.Of(entry, new SealPlace(++seq, hash, jobPrevious, jobPreviousHash));
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

    /// <summary>Where statements run: one transaction of one of the two databases.</summary>
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
