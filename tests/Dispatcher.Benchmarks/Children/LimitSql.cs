namespace Dispatcher.Benchmarks.Children;

/// <summary>The statements of the limit, one for each batch of a hop.</summary>
internal static class LimitSql
{
    private const string Now = "(extract(epoch from clock_timestamp()) * 1000000)::bigint";

    public const string Tables = "create table limit_effects (effect_key uuid primary key, at bigint not null)";

    public const string Submit = $"""
        with u as (
            select * from unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::bytea[],
                $7::uuid[], $8::text[], $9::text[], $10::bytea[])
                as u(job_id, topic, labels, payload, hash, detail, message_id, exchange, routing_key, body)),
        done as (
            insert into jobs (job_id, principal, topic, labels, risk_tags, payload, job_hash, created_at, state, version, attempt, spent,
                verdict, rules, reason, policy_hash, basis_hash, pool, cancel_requested, result_truncated, updated_at, ready_at)
            select job_id, 'bench', topic, labels, '[]', payload, hash, {Now}, 'accepted', 1, 0, 0,
                'ALLOW', '["run"]', 'run', hash, hash, 'bench', false, false, {Now}, {Now}
            from u on conflict do nothing returning job_id),
        entries as (
            insert into timeline (job_id, at, kind, attempt, actor, detail)
            select job_id, {Now}, 'accepted', 0, 'bench', detail from u where job_id in (select job_id from done)),
        messages as (
            insert into outbox (message_id, exchange, routing_key, mandatory, type, body, headers, attempts, next_at, parked)
            select message_id, exchange, routing_key, true, 'limit', body, '', 0, {Now} + 10000000, false
            from u where job_id in (select job_id from done))
        select count(*) from done
        """;

    public const string Dispatch = $"""
        with u as (select * from unnest($1::uuid[], $2::bytea[]) as u(job_id, detail)),
        done as (
            update jobs set state = 'dispatched', version = version + 1, attempt = attempt + 1, start_by = {Now} + 60000000,
                due_at = {Now} + 60000000, updated_at = {Now}
            from u where jobs.job_id = u.job_id and jobs.state = 'accepted' returning jobs.job_id),
        entries as (
            insert into timeline (job_id, at, kind, attempt, actor, detail)
            select job_id, {Now}, 'dispatched', 1, 'dispatcher', detail from u where job_id in (select job_id from done)),
        {Messages}
        select count(*) from done
        """;

    public const string Outcome = $"""
        with u as (select * from unnest($1::uuid[], $2::bytea[]) as u(job_id, detail)),
        done as (
            update jobs set state = 'succeeded', version = version + 1, due_at = null, result = $7, updated_at = {Now}, finished_at = {Now}
            from u where jobs.job_id = u.job_id and jobs.state = 'dispatched' returning jobs.job_id),
        entries as (
            insert into timeline (job_id, at, kind, attempt, actor, detail)
            select job_id, {Now}, 'succeeded', 1, 'worker-bench', detail from u where job_id in (select job_id from done)),
        {Messages}
        select count(*) from done
        """;

    public const string Effect = """
        with u as (
            select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bytea[])
                as u(job_id, message_id, exchange, routing_key, body)),
        done as (
            insert into limit_effects (effect_key, at) select job_id, (extract(epoch from clock_timestamp()) * 1000000)::bigint from u
            on conflict do nothing),
        messages as (
            insert into outbox (message_id, exchange, routing_key, mandatory, type, body, headers, attempts, next_at, parked)
            select message_id, exchange, routing_key, true, 'limit', body, '', 0, 0, false from u)
        select count(*) from u
        """;

    private const string Messages = $"""
        messages as (
            insert into outbox (message_id, exchange, routing_key, mandatory, type, body, headers, attempts, next_at, parked)
            select message_id, exchange, routing_key, true, 'limit', body, '', 0, {Now} + 10000000, false
            from unnest($3::uuid[], $4::text[], $5::text[], $6::bytea[]) as m(message_id, exchange, routing_key, body))
        """;
}
