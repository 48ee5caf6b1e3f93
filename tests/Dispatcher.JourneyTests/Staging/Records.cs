using System.Globalization;
using Npgsql;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>The rows of the store, and the notes of the journeys' worker, read without the product.</summary>
internal sealed class Records(NpgsqlDataSource database)
{
    private const string Final = "('succeeded', 'quarantined', 'dead_lettered', 'denied', 'rejected', 'expired', 'cancelled')";

    public async Task CreateAsync() =>
        await ExecuteAsync(
            """
            create table journey_effects (job_id uuid not null, attempt int not null);
            create table journey_starts (job_id uuid not null, attempt int not null, worker_process int not null);
            create table journey_calls (at timestamptz not null default clock_timestamp());
            create table journey_downstream (up boolean not null);
            insert into journey_downstream values (true)
            """
        );

    /// <summary>As if workers were there and took nothing: the pool is given work. One key counts for no more than 1,024 runs.</summary>
    public Task PretendWorkerAsync(string pool, int capacity) =>
        ExecuteAsync(
            $"""
            insert into workers (pool, principal, instance, version, topics, enforcers, missing, capacity, shared, started_at, seen_at)
            select '{pool}', 'pretended-' || n, 'pretended', '1', '[]', '[]', '[]', least(1024, {capacity.ToString(
                CultureInfo.InvariantCulture
            )} - 1024 * n), true, 0, 9000000000000000
            from generate_series(0, {((capacity - 1) / 1024).ToString(CultureInfo.InvariantCulture)}) n
            """
        );

    /// <summary>As if a held job had been handed in so many times more; and as if as many bodies could not be read.</summary>
    public Task MultiplyAsync(Guid heldJob, int times) =>
        ExecuteAsync(
            string.Create(
                CultureInfo.InvariantCulture,
                $"""
                insert into jobs
                    select (jsonb_populate_record(j, jsonb_build_object('job_id', gen_random_uuid(), 'idempotency_key', null))).*
                    from jobs j, generate_series(1, {times}) where j.job_id = '{heldJob}';
                insert into approvals
                    select (jsonb_populate_record(a, jsonb_build_object('approval_id', gen_random_uuid(), 'job_id', j.job_id))).*
                    from approvals a, jobs j where a.job_id = '{heldJob}' and j.job_id <> '{heldJob}';
                insert into dead_letters (dead_letter_id, at, fault_class, owner, topic, principal, attempt, errors, body, body_length)
                    select gen_random_uuid(), n, 'malformed', 'dispatcher', 'unknown', 'billing', 0, '[]',
                        convert_to(repeat('x', 65536), 'utf8'), 65536
                    from generate_series(1, {times}) n
                """
            )
        );

    /// <summary>As if everything that is not sealed yet, and the dead letters, had happened so many days earlier.</summary>
    public Task AgeAsync(int days) =>
        ExecuteAsync(
            string.Create(
                CultureInfo.InvariantCulture,
                $"""
                alter table timeline disable trigger all;
                update timeline set at = at - {days} * 86400000000
                    where not exists (select 1 from timeline_seals s where s.entry_id = timeline.entry_id);
                alter table timeline enable trigger all;
                update dead_letters set at = at - {days} * 86400000000
                """
            )
        );

    /// <summary>
    /// As if the refused messages of the outbox had been refused for a day: the next refusal parks them. Returns how many there are.
    /// </summary>
    public Task<long> NearlyParkAsync() =>
        CountAsync(
            """
            with refused as (update outbox set attempts = 300, next_at = 0 where last_error is not null and not parked returning 1)
            select count(*) from refused
            """
        );

    /// <summary>As if no worker had been heard of for so long.</summary>
    public Task SilentAsync(int seconds) =>
        ExecuteAsync(string.Create(CultureInfo.InvariantCulture, $"update workers set seen_at = seen_at - {seconds}000000"));

    /// <summary>As if the limit of a run had passed so long ago that no outcome can be under way any more.</summary>
    public Task RunIsOverAsync(Guid jobId) =>
        ExecuteAsync($"update jobs set run_until = run_until - 60000000, due_at = 0 where job_id = '{jobId}' and state = 'running'");

    /// <summary>As if the sweep had to check every accepted job now.</summary>
    public Task AcceptedAreDueAsync() => ExecuteAsync("update jobs set due_at = 0 where state = 'accepted'");

    /// <summary>As if the lease of a run ended half a second from now, by the clock of the database.</summary>
    public Task LeaseIsShortAsync(Guid jobId) =>
        ExecuteAsync(
            $"update jobs set due_at = (extract(epoch from clock_timestamp()) * 1000000)::bigint + 500000 where job_id = '{jobId}'"
        );

    /// <summary>How many seconds of the lease of a run are left.</summary>
    public Task<long> LeaseSecondsAsync(Guid jobId) =>
        CountAsync($"select due_at / 1000000 - extract(epoch from clock_timestamp())::bigint from jobs where job_id = '{jobId}'");

    /// <summary>Whether what the jobs of topic <c>job.test.downstream</c> call is up.</summary>
    public Task DownstreamAsync(bool up) => ExecuteAsync($"update journey_downstream set up = {(up ? "true" : "false")}");

    /// <summary>How often it was called.</summary>
    public Task<long> CallsAsync() => CountAsync("select count(*) from journey_calls");

    /// <summary>
    /// The seconds between one call and the next. Only calls after the first <paramref name="after"/> ones count.
    /// </summary>
    public async Task<IReadOnlyList<double>> SecondsBetweenCallsAsync(long after) =>
        [
            .. (
                await TextsAsync(
                    """
                    with calls as (select at, row_number() over (order by at) as n from journey_calls),
                    gaps as (select n, extract(epoch from at - lag(at) over (order by n)) as gap from calls where n > $1)
                    select gap::text from gaps where gap is not null order by n
                    """,
                    after
                )
            ).Select(gap => double.Parse(gap, CultureInfo.InvariantCulture)),
        ];

    /// <summary>Has the sweep check the waiting jobs of a topic now.</summary>
    public Task MakeDueAsync(string topic) => ExecuteAsync($"update jobs set due_at = 0 where state = 'accepted' and topic = '{topic}'");

    /// <summary>How many jobs the sweep has not checked since they were made due.</summary>
    public Task<long> DueAsync() => CountAsync("select count(*) from jobs where due_at = 0");

    /// <summary>How many jobs cannot go on by themselves: final or held.</summary>
    public Task<long> SettledAsync() => CountAsync($"select count(*) from jobs where state in {Final} or state = 'held'");

    public Task<long> CountAsync(string state, string topic) =>
        CountAsync("select count(*) from jobs where state = $1 and topic = $2", state, topic);

    public Task<long> EndedAsync() => CountAsync($"select count(*) from jobs where state in {Final}");

    public Task<long> OutboxAsync() => CountAsync("select count(*) from outbox");

    public Task<long> DeadLettersAsync() => CountAsync("select count(*) from dead_letters");

    public Task<long> EffectsAsync() => CountAsync("select count(*) from journey_effects");

    public Task<long> StartsAsync(Guid jobId, int process) =>
        CountAsync("select count(*) from journey_starts where job_id = $1 and worker_process = $2", jobId, process);

    /// <summary>How many statements in this database wait for a row that another transaction has locked.</summary>
    public Task<long> RowLockWaitsAsync() =>
        CountAsync(
            """
            select count(*) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock' and wait_event in ('transactionid', 'tuple')
            """
        );

    public async Task<string> ActiveBundleAsync() => (await TextsAsync("select hash from active_bundle")).SingleOrDefault() ?? "";

    public async Task<string> StatesAsync() =>
        string.Join(", ", await TextsAsync("select state || ' ' || topic || ': ' || count(*) from jobs group by state, topic"));

    /// <summary>
    /// Jobs whose timeline does not have exactly one end, or another end than their state; and jobs that are neither final nor held.
    /// </summary>
    public Task<IReadOnlyList<string>> JobsWithoutOneEndAsync() =>
        TextsAsync(
            $"""
            select j.job_id || ' ' || j.state || ': '
                || coalesce((select string_agg(t.kind, ' ' order by t.entry_id) from timeline t where t.job_id = j.job_id), 'no timeline')
            from jobs j
            where j.state not in {Final} and j.state <> 'held'
                or (select count(*) from timeline t where t.job_id = j.job_id and
                    (t.kind in ('succeeded', 'quarantined', 'denied', 'rejected', 'expired', 'cancelled', 'out_of_time')
                        or t.kind in ('faulted', 'fenced') and convert_from(t.detail, 'utf8')::json->>'state' = 'dead_lettered'))
                    <> case when j.state = 'held' then 0 else 1 end
                or (select count(*) from dead_letters d where d.job_id = j.job_id) <> case when j.state = 'dead_lettered' then 1 else 0 end
            order by 1 limit 20
            """
        );

    /// <summary>The hashes of the bundles that came into force, the first one first.</summary>
    public Task<IReadOnlyList<string>> ActivationsAsync() =>
        TextsAsync(
            "select convert_from(detail, 'utf8')::json->>'policy_hash' from timeline where kind = 'bundle_activated' order by entry_id"
        );

    /// <summary>
    /// Decisions of intake and dispatch under another bundle than the one whose activation is the last before them. The order of ids is
    /// exact between a decision and an activation: each takes its ids while it holds the policy's lock until its commit, decisions shared
    /// and activations alone. Between two decisions it is not exact.
    /// </summary>
    public Task<IReadOnlyList<string>> DecisionsNotInForceAsync() =>
        TextsAsync(
            """
            with activations as materialized (
                select entry_id, convert_from(detail, 'utf8')::json->>'policy_hash' as hash, lead(entry_id) over (order by entry_id) as next
                from timeline where kind = 'bundle_activated'),
            decisions as (
                select entry_id, kind, job_id, convert_from(detail, 'utf8')::json as detail
                from timeline where kind in ('accepted', 'held', 'denied', 'dispatched')),
            evaluated as (
                select d.entry_id, d.kind, d.job_id,
                    coalesce(d.detail->'answer'->>'policy_hash', d.detail->>'policy_hash') as by, a.hash as in_force
                from decisions d left join activations a on d.entry_id > a.entry_id and (a.next is null or d.entry_id < a.next))
            select entry_id || ' ' || kind || ' of ' || job_id || ' by ' || coalesce(by, 'none') || ' while ' || coalesce(in_force, 'none')
            from evaluated where by is distinct from in_force limit 20
            """
        );

    /// <summary>Attempts that were dispatched or claimed more than once.</summary>
    public Task<IReadOnlyList<string>> AttemptsNotOnceAsync() =>
        TextsAsync(
            """
            select job_id || ' ' || kind || ' ' || attempt from timeline where kind in ('dispatched', 'claimed')
            group by job_id, kind, attempt having count(*) > 1 limit 20
            """
        );

    /// <summary>Jobs of the counting worker that succeeded without their one effect, or had it twice.</summary>
    public Task<IReadOnlyList<string>> EffectsNotOnceAsync() =>
        TextsAsync(
            """
            select j.job_id || ' ' || j.state || ': ' || count(e.job_id) from jobs j left join journey_effects e on e.job_id = j.job_id
            where j.pool = 'test' group by j.job_id having count(e.job_id) > 1 or (j.state = 'succeeded' and count(e.job_id) = 0) limit 20
            """
        );

    public async Task<IReadOnlyList<string>> TextsAsync(string sql, params object[] values)
    {
        await using var command = Command(sql, values);
        await using var reader = await command.ExecuteReaderAsync(Now);
        var texts = new List<string>();
        while (await reader.ReadAsync(Now))
        {
            texts.Add(reader.GetString(0));
        }

        return texts;
    }

    public async Task<long> CountAsync(string sql, params object[] values)
    {
        try
        {
            await using var command = Command(sql, values);
            return (long)(await command.ExecuteScalarAsync(Now))!;
        }
        catch (NpgsqlException away) when (away.IsTransient)
        {
            // The journey restarts the database: the number is unknown.
            return -1;
        }
    }

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    private async Task ExecuteAsync(string sql)
    {
        await using var command = database.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(Now);
    }

    private NpgsqlCommand Command(string sql, object[] values)
    {
        var command = database.CreateCommand(sql);
        foreach (var value in values)
        {
            command.Parameters.AddWithValue(value);
        }

        return command;
    }
}
