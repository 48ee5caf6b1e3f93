using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Storage.Rows;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using static Dispatcher.Storage.SqliteStatements;

namespace Dispatcher.Storage;

/// <summary>
/// The store of the embedded server in SQLite: the same results as <see cref="PostgresStore"/>, row by row. SQLite has one writer at a
/// time, so a transaction that writes sees no concurrent one.
/// </summary>
internal sealed class SqliteStore(IDbContextFactory<DispatcherDb> database) : IStore
{
    private const string SameSubmission = "job_id = $job_id or (principal = $principal and idempotency_key = $idempotency_key)";

    private static readonly string InsertJob = $"""
        insert into jobs ({Columns.NewJob.Names()}, created_at, updated_at, finished_at)
        select {Columns.NewJob.Names("$")}, {Now}, {Now}, case when $state = 'expired' then {Now} end
        where $policy_hash = {ActiveHash} and not exists (select 1 from denials where {SameSubmission}) on conflict do nothing
        """;

    private static readonly string InsertDenial = $"""
        insert into denials ({Columns.Denial.Names()}, at) select {Columns.Denial.Names("$")}, {Now}
        where $policy_hash = {ActiveHash} and not exists (select 1 from jobs where {SameSubmission}) on conflict do nothing
        """;

    private static readonly string UpdateJob = $"""
        update jobs set {string.Join(", ", Columns.JobLive.Select(column => $"{column.Name} = ${column.Name}"))},
            updated_at = {Now}, finished_at = case when $is_final then {Now} end
        where job_id = $job_id and version = $version_read and ($under_policy is null or $under_policy = {ActiveHash})
            and not ($dispatches and {FreezeChange.Stops(Now, "topic", "$pool")})
            and ($approval_id is null or exists (
                select 1 from approvals where approval_id = $approval_id and state = $approval_from
                    and ($approval_to <> '{ApprovalStates.Consumed}' or use_by >= {Now})))
        """;

    private static readonly string FindContradicted = TimelineEvidence.Contradicted(
        $"(select {string.Join(", ", TimelineEvidence.Claims.Select(column => $"${column.Name} as {column.Name}"))}) w",
        TextOf
    );

    private const string FollowApproval = """
        update approvals set state = $approval_to, version = version + 1, end_reason = $end_reason, permit_id = $permit_id
        where approval_id = $approval_id
        """;

    private static readonly string InsertApproval =
        $"insert into approvals ({Columns.Approval.Names()}) values ({Columns.Approval.Names("$")})";

    private static readonly string InsertLetter = $"""
        insert into dead_letters ({Columns.DeadLetter.Names()}, at) values ({Columns.DeadLetter.Names("$")}, {Now})
        on conflict do nothing
        """;

    /// <summary>Without a transaction: the wait for another writer would look like a wrong clock.</summary>
    public async Task<long> NowAsync(CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        return await db.Database.SqlQueryRaw<long>($"select {Now} as \"Value\"").SingleAsync(cancellationToken);
    }

    public Task<Committed> AcceptAsync(IReadOnlyList<Acceptance> batch, OutboxMessage? signal, CancellationToken cancellationToken) =>
        InTransactionAsync(
            transaction =>
            {
                var done = batch
                    .Where(acceptance =>
                        acceptance.Job is not null
                            ? Execute(transaction, InsertJob, Columns.NewJob, acceptance.Job) == 1
                            : Execute(transaction, InsertDenial, Columns.Denial, acceptance.Denial!) == 1
                    )
                    .ToList();
                ExecuteAll(
                    transaction,
                    InsertApproval,
                    Columns.Approval,
                    done.Select(acceptance => acceptance.Approval).OfType<Approval>()
                );
                ExecuteAll(transaction, InsertEntry, Columns.Entry, done.SelectMany(acceptance => acceptance.Entries));
                ExecuteAll(transaction, InsertMessage, Columns.Outbox, done.SelectMany(acceptance => acceptance.Outbox));
                ExecuteAll(transaction, InsertMessage, Columns.Outbox, signal is null ? [] : [signal]);
                return Done(transaction, done.Select(acceptance => acceptance.JobId));
            },
            cancellationToken
        );

    public Task<Committed> MoveAsync(IReadOnlyList<Move> batch, CancellationToken cancellationToken) =>
        InTransactionAsync(transaction => Apply(transaction, batch), cancellationToken);

    public Task<Committed> MoveAsync(DispatcherDb db, Move move, CancellationToken cancellationToken) =>
        Task.FromResult(Apply((SqliteTransaction)db.Database.CurrentTransaction!.GetDbTransaction(), [move]));

    public Task RefuseAsync(IReadOnlyList<Refusal> batch, CancellationToken cancellationToken) =>
        InTransactionAsync(
            transaction =>
            {
                var done = batch.Where(refusal => Execute(transaction, InsertLetter, Columns.DeadLetter, refusal.DeadLetter) == 1).ToList();
                ExecuteAll(transaction, InsertEntry, Columns.Entry, done.Select(refusal => refusal.Entry));
                ExecuteAll(transaction, InsertMessage, Columns.Outbox, done.SelectMany(refusal => refusal.Outbox));
                return done.Count;
            },
            cancellationToken
        );

    public Task RecordAsync(
        IReadOnlyList<TimelineEntry> entries,
        IReadOnlyList<OutboxMessage> messages,
        CancellationToken cancellationToken
    ) =>
        InTransactionAsync(
            transaction =>
            {
                ExecuteAll(transaction, InsertEntry, Columns.Entry, entries);
                ExecuteAll(transaction, InsertMessage, Columns.Outbox, messages);
                return entries.Count;
            },
            cancellationToken
        );

    public async Task<IReadOnlyList<Job>> TakeDueAsync(int limit, TimeSpan postpone, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
#pragma warning disable EF1002 // The text has only constants and numbers.
        return await db
            .Jobs.FromSqlRaw(
                $"""
                update jobs set due_at = {Now} + {Timestamps.Micros(postpone)}
                where job_id in (select job_id from jobs where due_at <= {Now} order by due_at limit {limit})
                returning {Columns.JobWithoutPayloadAndResult("x''")}
                """
            )
            .AsNoTracking()
            .ToListAsync(cancellationToken);
#pragma warning restore EF1002
    }

    public Task<IReadOnlyList<ExtendedLease>> ExtendLeasesAsync(
        IReadOnlyList<Run> runs,
        string claimedBy,
        CancellationToken cancellationToken
    ) =>
        InTransactionAsync<IReadOnlyList<ExtendedLease>>(
            transaction =>
            {
                var live = new List<ExtendedLease>();
                foreach (var run in runs)
                {
                    using var beat = Command(
                        transaction,
                        $"""
                        update jobs set due_at = min(
                            max(due_at, {Now} + {Leases.Heartbeats} * heartbeat_us), run_until + {Timestamps.Micros(Leases.ReportGrace)})
                        where job_id = $job_id and run_id = $run_id and state = 'running' and claimed_by = $claimed_by
                        returning cancel_requested
                        """
                    );
                    Bind(beat, Columns.Run, run);
                    beat.Parameters.AddWithValue("$claimed_by", claimedBy);
                    if (beat.ExecuteScalar() is long cancelRequested)
                    {
                        live.Add(new ExtendedLease(run.RunId, cancelRequested != 0));
                    }
                }

                return live;
            },
            cancellationToken
        );

    /// <summary>Locks nothing: only one process uses the file, and that process runs one dispatch of a pool at a time.</summary>
    public Task<IAsyncDisposable> LockPoolAsync(string pool, TimeSpan maxHold, CancellationToken cancellationToken) =>
        Task.FromResult<IAsyncDisposable>(new NoLock());

    public async Task<IReadOnlyList<OutboxMessage>> TakeOutboxAsync(int limit, TimeSpan postpone, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        return await SqliteOutbox.TakeAsync(db, limit, postpone, cancellationToken);
    }

    public Task DeleteOutboxAsync(IReadOnlyList<Guid> messageIds, CancellationToken cancellationToken) =>
        InTransactionAsync(transaction => SqliteOutbox.Delete(transaction, messageIds), cancellationToken);

    public Task DeferOutboxAsync(Guid messageId, string error, TimeSpan? pause, CancellationToken cancellationToken) =>
        InTransactionAsync(transaction => SqliteOutbox.Defer(transaction, messageId, error, pause), cancellationToken);

    public Task<Activation?> ActivateAsync(Func<BundleInForce?, Activation?> decide, CancellationToken cancellationToken) =>
        InTransactionAsync(transaction => SqliteActivation.Run(transaction, decide), cancellationToken);

    public Task<FreezeChange?> ChangeFreezesAsync(
        Func<IReadOnlyList<Freeze>, long, FreezeChange?> decide,
        CancellationToken cancellationToken
    ) => InTransactionAsync(transaction => SqliteFreezes.Change(transaction, decide), cancellationToken);

    private static Committed Apply(SqliteTransaction transaction, IReadOnlyList<Move> batch)
    {
        var contradicted = batch
            .Where(move => move.NeedsEvidence && IsContradicted(transaction, move))
            .Select(move => move.Before.JobId)
            .ToHashSet();
        var done = batch
            .Where(move => !contradicted.Contains(move.Before.JobId))
            .Where(move => Execute(transaction, UpdateJob, Columns.Move, move) == 1)
            .ToList();
        ExecuteAll(transaction, FollowApproval, Columns.Move, done.Where(move => move.Approval is not null));
        ExecuteAll(transaction, InsertApproval, Columns.Approval, done.Select(move => move.Opens).OfType<Approval>());
        ExecuteAll(transaction, InsertEntry, Columns.Entry, done.Select(move => move.Entry).OfType<TimelineEntry>());
        ExecuteAll(transaction, InsertLetter, Columns.DeadLetter, done.Select(move => move.DeadLetter).OfType<DeadLetter>());
        ExecuteAll(transaction, InsertMessage, Columns.Outbox, done.SelectMany(move => move.Outbox));
        return Done(transaction, done.Select(move => move.Before.JobId)) with { Contradicted = contradicted };
    }

    private static bool IsContradicted(SqliteTransaction transaction, Move move)
    {
        using var find = Command(transaction, FindContradicted);
        Bind(find, TimelineEvidence.Claims, move);
        return find.ExecuteScalar() is not null;
    }

    private static Committed Done(SqliteTransaction transaction, IEnumerable<Guid> jobs)
    {
        using var active = Command(transaction, $"select {ActiveHash}");
        return new Committed(jobs.ToHashSet(), (string)active.ExecuteScalar()!);
    }

    private sealed class NoLock : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    /// <summary>Runs the work on the calling thread, as SQLite does for its asynchronous methods as well.</summary>
    private async Task<T> InTransactionAsync<T>(Func<SqliteTransaction, T> work, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var connection = (SqliteConnection)db.Database.GetDbConnection();
        await connection.OpenAsync(cancellationToken);
        await using var transaction = connection.BeginTransaction(deferred: false);
        var result = work(transaction);

        // The caller may have left while another process held the file, with the answer that nothing was committed.
        cancellationToken.ThrowIfCancellationRequested();
        await transaction.CommitAsync(CancellationToken.None);
        return result;
    }
}
