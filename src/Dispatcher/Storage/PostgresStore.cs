using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Storage.Rows;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using static Dispatcher.Storage.PostgresStatements;
using Tied = (System.Guid? TiedTo, Dispatcher.Jobs.OutboxMessage Message);

namespace Dispatcher.Storage;

/// <summary>The store in PostgreSQL: one round trip and one commit for a whole batch.</summary>
internal sealed class PostgresStore(NpgsqlDataSource source, IDbContextFactory<DispatcherDb> database) : IStore
{
    /// <summary>
    /// Makes ids and keys unique across jobs and denials, which no index spans. A batch with denials holds this lock exclusively, a batch
    /// of jobs holds it shared. So of a job and a denial with the same id or key, the later one sees the earlier one. The wait costs
    /// little: the next batch grows meanwhile.
    /// </summary>
    private const string IdentityLock = "4711002";

    /// <summary>First key of the lock on a pool; the second key is the hash of the pool's name.</summary>
    private const string PoolLockKey = "4711003";

    private readonly PostgresOutbox _outbox = new(source, database);

    public async Task<long> NowAsync(CancellationToken cancellationToken)
    {
        await using var command = source.CreateCommand($"select {Now}");
        return (long)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    public async Task<Committed> AcceptAsync(IReadOnlyList<Acceptance> batch, OutboxMessage? signal, CancellationToken cancellationToken)
    {
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        await using var statements = new PostgresBatch(connection);
        Begin(statements, underPolicy: true);
        var identities = statements.Add();
        var accept = statements.Add();
        var jobs = batch.Where(acceptance => acceptance.Job is not null).Select(acceptance => acceptance.Job!).ToList();
        var denials = batch.Where(acceptance => acceptance.Denial is not null).Select(acceptance => acceptance.Denial!).ToList();
        List<Tied> messages = [.. batch.SelectMany(acceptance => acceptance.Outbox.Select(message => new Tied(acceptance.JobId, message)))];
        if (signal is not null)
        {
            messages.Add(new Tied(null, signal));
        }

        identities.Text = $"select pg_advisory_xact_lock{(denials.Count == 0 ? "_shared" : "")}({IdentityLock})";
        accept.Text = $"""
            with stored as (
                insert into jobs ({Columns.NewJob.Names()}, created_at, updated_at, finished_at)
                select {Columns.NewJob.Names()}, {Now}, {Now}, case when state = 'expired' then {Now} end from {accept.Rows(
                "i",
                Columns.NewJob,
                jobs
            )}
                where policy_hash = {ActiveHash} and not exists (
                    select from denials d
                    where d.job_id = i.job_id or (d.principal = i.principal and d.idempotency_key = i.idempotency_key))
                order by job_id on conflict do nothing returning job_id, principal, idempotency_key),
            denied as ({(denials.Count == 0 ? NoIds : Deny(accept, denials))}),
            done as (select job_id as id from stored union all select id from denied)
            {OpenApprovals(accept, [.. batch.Select(acceptance => acceptance.Approval).OfType<Approval>()])}
            {WriteTimeline(accept, [.. batch.SelectMany(acceptance => acceptance.Entries)])}
            {WriteOutbox(accept, messages)}
            select array(select id from done), {ActiveHash}
            """;
        return await CommittedAsync(statements, cancellationToken);
    }

    /// <summary>Inserts the denials whose id and key no job has. Reads the jobs that the statement inserts, <c>stored</c>.</summary>
    private static string Deny(PostgresBatch.Statement accept, IReadOnlyList<Denial> denials) =>
        $"""
            insert into denials ({Columns.Denial.Names()}, at)
            select {Columns.Denial.Names()}, {Now} from {accept.Rows("i", Columns.Denial, denials)}
            where policy_hash = {ActiveHash} and not exists (
                select from jobs j where j.job_id = i.job_id or (j.principal = i.principal and j.idempotency_key = i.idempotency_key)
                union all
                select from stored s where s.job_id = i.job_id or (s.principal = i.principal and s.idempotency_key = i.idempotency_key))
            order by job_id on conflict do nothing returning job_id as id
            """;

    public async Task<Committed> MoveAsync(IReadOnlyList<Move> batch, CancellationToken cancellationToken)
    {
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        return await MoveAsync(connection, batch, cancellationToken);
    }

    public Task<Committed> MoveAsync(DispatcherDb db, Move move, CancellationToken cancellationToken) =>
        MoveAsync((NpgsqlConnection)db.Database.GetDbConnection(), [move], cancellationToken);

    private static async Task<Committed> MoveAsync(
        NpgsqlConnection connection,
        IReadOnlyList<Move> batch,
        CancellationToken cancellationToken
    )
    {
        await using var statements = new PostgresBatch(connection);
        Begin(statements, batch.Any(move => move.UnderPolicy is not null));

        // Approvals before jobs, as votes do: another order could deadlock.
        Guid[] approvals = [.. batch.Where(move => move.Approval is not null).Select(move => move.Approval!.ApprovalId)];
        if (approvals.Length > 0)
        {
            LockInOrder(statements, "approvals", "approval_id", approvals);
        }

        LockInOrder(statements, "jobs", "job_id", [.. batch.Select(move => move.Before.JobId)]);
        var apply = statements.Add();
        List<Move> claims = [.. batch.Where(move => move.NeedsEvidence)];
        var contradicted =
            claims.Count == 0 ? NoIds : TimelineEvidence.Contradicted(apply.Rows("w", TimelineEvidence.Claims, claims), TextOf);
        const string Follow = """
            , followed as (
                update approvals a set state = d.approval_to, version = a.version + 1, end_reason = d.end_reason, permit_id = d.permit_id
                from done d where a.approval_id = d.approval_id)
            """;
        apply.Text = $"""
            with contradicted as ({contradicted}),
            done as (
                update jobs j set {string.Join(", ", Columns.JobLive.Select(column => $"{column.Name} = i.{column.Name}"))},
                    updated_at = {Now}, finished_at = case when i.is_final then {Now} end
                from {apply.Rows("i", Columns.Move, batch)}
                where j.job_id = i.job_id and j.version = i.version_read and (i.under_policy is null or i.under_policy = {ActiveHash})
                    and not (i.dispatches and {FreezeChange.Stops(Now, "j.topic", "i.pool")})
                    and (i.approval_id is null or exists (
                        select from approvals a where a.approval_id = i.approval_id and a.state = i.approval_from
                            and (i.approval_to <> '{ApprovalStates.Consumed}' or a.use_by >= {Now})))
                    and not exists (select from contradicted c where c.id = j.job_id)
                returning j.job_id as id, i.approval_id, i.approval_to, i.end_reason, i.permit_id)
            {(approvals.Length == 0 ? "" : Follow)}
            {OpenApprovals(apply, [.. batch.Select(move => move.Opens).OfType<Approval>()])}
            {WriteTimeline(apply, [.. batch.Select(move => move.Entry).OfType<TimelineEntry>()])}
            {WriteDeadLetters(apply, [.. batch.Select(move => move.DeadLetter).OfType<DeadLetter>()])}
            {WriteOutbox(apply, [.. batch.SelectMany(move => move.Outbox.Select(message => new Tied(move.Before.JobId, message)))])}
            select array(select id from done), {ActiveHash}, array(select id from contradicted)
            """;
        return await CommittedAsync(statements, cancellationToken);
    }

    public async Task RefuseAsync(IReadOnlyList<Refusal> batch, CancellationToken cancellationToken)
    {
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        await using var statements = new PostgresBatch(connection);
        var refuse = statements.Add();
        refuse.Text = $"""
            with done as (
                insert into dead_letters ({Columns.DeadLetter.Names()}, at)
                select {Columns.DeadLetter.Names()}, {Now}
                from {refuse.Rows("i", Columns.DeadLetter, [.. batch.Select(refusal => refusal.DeadLetter)])}
                order by dead_letter_id on conflict do nothing returning dead_letter_id as id)
            {WriteTimeline(refuse, [.. batch.Select(refusal => refusal.Entry)])}
            {WriteOutbox(
                refuse,
                [.. batch.SelectMany(refusal => refusal.Outbox.Select(message => new Tied(refusal.DeadLetter.DeadLetterId, message)))]
            )}
            select 1
            """;
        await statements.RunAsync(cancellationToken);
    }

    public async Task RecordAsync(
        IReadOnlyList<TimelineEntry> entries,
        IReadOnlyList<OutboxMessage> messages,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        await using var statements = new PostgresBatch(connection);
        Record(statements, entries, messages);
        await statements.RunAsync(cancellationToken);
    }

    // The array is computed once. PostgreSQL may plan "in (select ... limit n)" so that the selection runs for each row, and takes more.
    public async Task<IReadOnlyList<Job>> TakeDueAsync(int limit, TimeSpan postpone, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
#pragma warning disable EF1002 // The text has only constants and numbers.
        return await db
            .Jobs.FromSqlRaw(
                $"""
                update jobs set due_at = {Now} + {Timestamps.Micros(postpone)} where job_id = any(array(
                    select job_id from jobs where due_at <= {Now} order by due_at limit {limit} for update skip locked))
                returning {Columns.JobWithoutPayloadAndResult("''::bytea")}
                """
            )
            .AsNoTracking()
            .ToListAsync(cancellationToken);
#pragma warning restore EF1002
    }

    public async Task<IReadOnlyList<ExtendedLease>> ExtendLeasesAsync(
        IReadOnlyList<Run> runs,
        string claimedBy,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        await using var statements = new PostgresBatch(connection);
        LockInOrder(statements, "jobs", "job_id", [.. runs.Select(run => run.JobId)]);
        var beat = statements.Add();
        beat.Text = $"""
            update jobs j set due_at = least(
                greatest(j.due_at, {Now} + {Leases.Heartbeats} * j.heartbeat_us), j.run_until + {Timestamps.Micros(Leases.ReportGrace)})
            from {beat.Rows("i", Columns.Run, runs)}
            where j.job_id = i.job_id and j.run_id = i.run_id and j.state = 'running' and j.claimed_by = {beat.Value(claimedBy)}
            returning j.run_id, j.cancel_requested
            """;
        await using var reader = await statements.ReadAsync(cancellationToken);
        await reader.NextResultAsync(cancellationToken);
        var live = new List<ExtendedLease>();
        while (await reader.ReadAsync(cancellationToken))
        {
            live.Add(new ExtendedLease(reader.GetGuid(0), reader.GetBoolean(1)));
        }

        return live;
    }

    public async Task<IAsyncDisposable> LockPoolAsync(string pool, TimeSpan maxHold, CancellationToken cancellationToken)
    {
        var connection = await source.OpenConnectionAsync(cancellationToken);
        try
        {
            var transaction = await connection.BeginTransactionAsync(cancellationToken);
            await using var hold = new NpgsqlBatch(connection, transaction)
            {
                BatchCommands =
                {
                    new NpgsqlBatchCommand("select set_config('idle_in_transaction_session_timeout', $1, true)")
                    {
                        Parameters = { new() { Value = $"{maxHold.TotalMilliseconds:0}ms" } },
                    },
                    new NpgsqlBatchCommand($"select pg_advisory_xact_lock({PoolLockKey}, hashtext($1))")
                    {
                        Parameters = { new() { Value = pool } },
                    },
                },
            };
            await hold.ExecuteNonQueryAsync(cancellationToken);

            return new PoolLock(connection);
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    public Task<IReadOnlyList<OutboxMessage>> TakeOutboxAsync(int limit, TimeSpan postpone, CancellationToken cancellationToken) =>
        _outbox.TakeAsync(limit, postpone, cancellationToken);

    public Task DeleteOutboxAsync(IReadOnlyList<Guid> messageIds, CancellationToken cancellationToken) =>
        _outbox.DeleteAsync(messageIds, cancellationToken);

    public Task DeferOutboxAsync(Guid messageId, string error, TimeSpan? pause, CancellationToken cancellationToken) =>
        _outbox.DeferAsync(messageId, error, pause, cancellationToken);

    public Task<Activation?> ActivateAsync(Func<BundleInForce?, Activation?> decide, CancellationToken cancellationToken) =>
        PostgresActivation.RunAsync(database, decide, cancellationToken);

    public Task<FreezeChange?> ChangeFreezesAsync(
        Func<IReadOnlyList<Freeze>, long, FreezeChange?> decide,
        CancellationToken cancellationToken
    ) => PostgresFreezes.ChangeAsync(database, decide, cancellationToken);
}
