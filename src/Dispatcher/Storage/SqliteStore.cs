using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Storage.Rows;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace Dispatcher.Storage;

/// <summary>The embedded store: the same results, row by row. SQLite has one writer at a time, so that a transaction that has begun sees no other.</summary>
internal sealed class SqliteStore(IDbContextFactory<DispatcherDb> database) : IStore
{
    private const string Now = "cast(unixepoch('subsec') * 1000000 as integer)";
    private const string ActiveHash = "coalesce((select hash from active_bundle), '')";
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
            and ($approval_id is null or exists (
                select 1 from approvals where approval_id = $approval_id and state = $approval_from and ($approval_to <> '{ApprovalStates.Consumed}' or use_by >= {Now})))
        """;

    private static readonly string FindContradicted = TimelineEvidence.Contradicted(
        $"(select {string.Join(", ", TimelineEvidence.Claims.Select(column => $"${column.Name} as {column.Name}"))}) w",
        TextOf
    );

    private const string FollowApproval =
        "update approvals set state = $approval_to, version = version + 1, end_reason = $end_reason, permit_id = $permit_id where approval_id = $approval_id";

    private static readonly string InsertApproval =
        $"insert into approvals ({Columns.Approval.Names()}) values ({Columns.Approval.Names("$")})";

    private static readonly string InsertEntry =
        $"insert into timeline ({Columns.Entry.Names()}, at) values ({Columns.Entry.Names("$")}, {Now})";

    private static readonly string InsertLetter =
        $"insert into dead_letters ({Columns.DeadLetter.Names()}, at) values ({Columns.DeadLetter.Names("$")}, {Now}) on conflict do nothing";

    private static readonly string InsertMessage = $"""
        insert into outbox ({Columns.Outbox.Names()}, attempts, parked, next_at)
        values ({Columns.Outbox.Names("$")}, 0, 0, {Now} + {Timestamps.Micros(OutboxMessage.RelayHeadStart)})
        """;

    /// <summary>Without a transaction: to wait for a writer would look like a clock that is off.</summary>
    public async Task<long> NowAsync(CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        return await db.Database.SqlQueryRaw<long>($"select {Now} as \"Value\"").SingleAsync(cancellationToken);
    }

    public Task<Committed> AcceptAsync(IReadOnlyList<Acceptance> batch, OutboxMessage? packed, CancellationToken cancellationToken) =>
        InTransactionAsync(
            transaction =>
            {
                var done = batch
                    .Where(acceptance =>
                        acceptance.Job is not null
                            ? Run(transaction, InsertJob, Columns.NewJob, acceptance.Job) == 1
                            : Run(transaction, InsertDenial, Columns.Denial, acceptance.Denial!) == 1
                    )
                    .ToList();
                RunAll(transaction, InsertApproval, Columns.Approval, done.Select(acceptance => acceptance.Approval).OfType<Approval>());
                RunAll(transaction, InsertEntry, Columns.Entry, done.SelectMany(acceptance => acceptance.Entries));
                RunAll(transaction, InsertMessage, Columns.Outbox, done.SelectMany(acceptance => acceptance.Outbox));
                RunAll(transaction, InsertMessage, Columns.Outbox, packed is null ? [] : [packed]);
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
                var done = batch.Where(refusal => Run(transaction, InsertLetter, Columns.DeadLetter, refusal.DeadLetter) == 1).ToList();
                RunAll(transaction, InsertEntry, Columns.Entry, done.Select(refusal => refusal.Entry));
                RunAll(transaction, InsertMessage, Columns.Outbox, done.SelectMany(refusal => refusal.Outbox));
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
                RunAll(transaction, InsertEntry, Columns.Entry, entries);
                RunAll(transaction, InsertMessage, Columns.Outbox, messages);
                return entries.Count;
            },
            cancellationToken
        );

    public async Task<IReadOnlyList<Job>> TakeDueAsync(int limit, TimeSpan postpone, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
#pragma warning disable EF1002 // Constants and numbers of ours only.
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
                        update jobs set due_at = min(max(due_at, {Now} + {Leases.Heartbeats} * heartbeat_us), run_until + {Timestamps.Micros(
                            Leases.ReportGrace
                        )})
                        where job_id = $job_id and run_id = $run_id and state = 'running' and claimed_by = $claimed_by returning cancel_requested
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

    /// <summary>One process has the file, and it lets one of its own in at a time.</summary>
    public Task<IAsyncDisposable> LockPoolAsync(string pool, TimeSpan longest, CancellationToken cancellationToken) =>
        Task.FromResult<IAsyncDisposable>(new Nothing());

    public async Task<IReadOnlyList<OutboxMessage>> TakeOutboxAsync(int limit, TimeSpan postpone, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
#pragma warning disable EF1002 // Constants and numbers of ours only.
        return await db
            .Outbox.FromSqlRaw(
                $"""
                update outbox set next_at = {Now} + {Timestamps.Micros(postpone)}
                where message_id in (select message_id from outbox where next_at <= {Now} and not parked order by next_at limit {limit}) returning *
                """
            )
            .AsNoTracking()
            .ToListAsync(cancellationToken);
#pragma warning restore EF1002
    }

    public Task DeleteOutboxAsync(IReadOnlyList<Guid> messageIds, CancellationToken cancellationToken) =>
        InTransactionAsync(
            transaction =>
            {
                using var delete = Command(transaction, "delete from outbox where message_id = $message_id");
                var parameter = delete.Parameters.Add("$message_id", SqliteType.Text);
                foreach (var messageId in messageIds)
                {
                    parameter.Value = messageId;
                    delete.ExecuteNonQuery();
                }

                return messageIds.Count;
            },
            cancellationToken
        );

    public Task DeferOutboxAsync(Guid messageId, string error, TimeSpan? pause, CancellationToken cancellationToken) =>
        InTransactionAsync(
            transaction =>
            {
                using var defer = Command(
                    transaction,
                    $"""
                    update outbox set attempts = attempts + 1, last_error = $error, parked = $parked, next_at = {Now} + {Timestamps.Micros(
                        pause ?? TimeSpan.Zero
                    )}
                    where message_id = $message_id
                    """
                );
                defer.Parameters.AddWithValue("$message_id", messageId);
                defer.Parameters.AddWithValue("$error", error);
                defer.Parameters.AddWithValue("$parked", pause is null);
                return defer.ExecuteNonQuery();
            },
            cancellationToken
        );

    public Task<Activation?> ActivateAsync(Func<BundleInForce?, Activation?> decide, CancellationToken cancellationToken) =>
        InTransactionAsync(
            transaction =>
            {
                var before = InForce(transaction);
                if (decide(before)?.After(before) is not { } activation)
                {
                    return null;
                }

                using var activate = Command(
                    transaction,
                    $"""
                    insert into bundles (hash, archive, first_activated_at) select $hash, $archive, {Now} where $archive is not null on conflict do nothing;
                    insert into active_bundle (serial, hash, activated_at, actor, pinned) values ($serial, $hash, {Now}, $actor, $pinned)
                    on conflict (only_row) do update set
                        serial = excluded.serial, hash = excluded.hash, activated_at = excluded.activated_at, actor = excluded.actor, pinned = excluded.pinned;
                    """
                );
                activate.Parameters.AddWithValue("$serial", activation.Serial);
                activate.Parameters.AddWithValue("$hash", activation.Hash);
                activate.Parameters.AddWithValue("$archive", (object?)activation.Archive?.ToArray() ?? DBNull.Value);
                activate.Parameters.AddWithValue("$actor", activation.Actor);
                activate.Parameters.AddWithValue("$pinned", activation.Pinned);
                activate.ExecuteNonQuery();
                Run(transaction, InsertEntry, Columns.Entry, activation.Entry);
                RunAll(transaction, InsertMessage, Columns.Outbox, activation.Outbox);
                return activation;
            },
            cancellationToken
        );

    private static Committed Apply(SqliteTransaction transaction, IReadOnlyList<Move> batch)
    {
        var contradicted = batch
            .Where(move => move.NeedsEvidence && IsContradicted(transaction, move))
            .Select(move => move.Before.JobId)
            .ToHashSet();
        var done = batch
            .Where(move => !contradicted.Contains(move.Before.JobId))
            .Where(move => Run(transaction, UpdateJob, Columns.Move, move) == 1)
            .ToList();
        RunAll(transaction, FollowApproval, Columns.Move, done.Where(move => move.Approval is not null));
        RunAll(transaction, InsertApproval, Columns.Approval, done.Select(move => move.Opens).OfType<Approval>());
        RunAll(transaction, InsertEntry, Columns.Entry, done.Select(move => move.Entry).OfType<TimelineEntry>());
        RunAll(transaction, InsertLetter, Columns.DeadLetter, done.Select(move => move.DeadLetter).OfType<DeadLetter>());
        RunAll(transaction, InsertMessage, Columns.Outbox, done.SelectMany(move => move.Outbox));
        return Done(transaction, done.Select(move => move.Before.JobId)) with { Contradicted = contradicted };
    }

    private static bool IsContradicted(SqliteTransaction transaction, Move move)
    {
        using var find = Command(transaction, FindContradicted);
        Bind(find, TimelineEvidence.Claims, move);
        return find.ExecuteScalar() is not null;
    }

    /// <summary>A text in the detail of a timeline entry; null when there is none, or the detail cannot be read.</summary>
    private static string TextOf(string entry, string[] path)
    {
        var text = $"cast({entry}.detail as text)";
        return $"case when json_valid({text}) then cast(json_extract({text}, '$.{string.Join('.', path)}') as text) end";
    }

    private static BundleInForce? InForce(SqliteTransaction transaction)
    {
        using var read = Command(transaction, "select serial, hash, activated_at, actor, pinned from active_bundle");
        using var row = read.ExecuteReader();
        return row.Read()
            ? new BundleInForce
            {
                Serial = row.GetInt64(0),
                Hash = row.GetString(1),
                ActivatedAt = row.GetInt64(2),
                Actor = row.GetString(3),
                Pinned = row.GetBoolean(4),
            }
            : null;
    }

    private static Committed Done(SqliteTransaction transaction, IEnumerable<Guid> jobs)
    {
        using var active = Command(transaction, $"select {ActiveHash}");
        return new Committed(jobs.ToHashSet(), (string)active.ExecuteScalar()!);
    }

    private static void RunAll<TRow>(SqliteTransaction transaction, string sql, IReadOnlyList<Column<TRow>> columns, IEnumerable<TRow> rows)
    {
        foreach (var row in rows)
        {
            Run(transaction, sql, columns, row);
        }
    }

    private static int Run<TRow>(SqliteTransaction transaction, string sql, IReadOnlyList<Column<TRow>> columns, TRow row)
    {
        using var command = Command(transaction, sql);
        Bind(command, columns, row);
        return command.ExecuteNonQuery();
    }

    private static void Bind<TRow>(SqliteCommand command, IReadOnlyList<Column<TRow>> columns, TRow row)
    {
        foreach (var column in columns)
        {
            command.Parameters.AddWithValue("$" + column.Name, column.Value(row) ?? DBNull.Value);
        }
    }

    private sealed class Nothing : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

#pragma warning disable CA2100 // The texts are constants of this file.
    private static SqliteCommand Command(SqliteTransaction transaction, string sql) => new(sql, transaction.Connection, transaction);
#pragma warning restore CA2100

    /// <summary>SQLite works on the calling thread; its asynchronous methods do too.</summary>
    private async Task<T> InTransactionAsync<T>(Func<SqliteTransaction, T> work, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var connection = (SqliteConnection)db.Database.GetDbConnection();
        await connection.OpenAsync(cancellationToken);
        await using var transaction = connection.BeginTransaction(deferred: false);
        var result = work(transaction);

        // A caller who has left meanwhile, as while another process held the file, was told that nothing was committed.
        cancellationToken.ThrowIfCancellationRequested();
        await transaction.CommitAsync(CancellationToken.None);
        return result;
    }
}
