using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Dispatcher.Storage.Migrations;

/// <summary>The first tables, with their types and triggers.</summary>
[DbContext(typeof(DispatcherDb))]
[Migration("0001_first_tables")]
internal sealed class M0001FirstTables : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder)
    {
        var postgres = ActiveProvider.EndsWith("PostgreSQL", StringComparison.Ordinal);
        migrationBuilder.Sql(postgres ? Tables : SqliteTypes.In(Tables));
        migrationBuilder.Sql(postgres ? AppendOnlyPostgres : AppendOnlySqlite);
    }

    private const string Tables = """
        create table jobs (
            job_id uuid primary key,
            principal text not null,
            topic text not null,
            labels text not null,
            risk_tags text not null,
            payload bytea not null,
            idempotency_key text,
            workflow_id text,
            cost_tokens bigint,
            cost_usd_micros bigint,
            not_after bigint,
            job_hash text not null,
            reply_to text,
            correlation_id text,
            trace_parent text,
            created_at bigint not null,
            state text not null,
            version integer not null,
            attempt integer not null,
            spent integer not null,
            due_at bigint,
            verdict text not null,
            rules text not null,
            reason text not null,
            constraints text,
            policy_hash text not null,
            basis_hash text not null,
            pool text,
            run_limit_us bigint,
            heartbeat_us bigint,
            start_by bigint,
            run_id uuid,
            worker text,
            claimed_by text,
            run_until bigint,
            cancel_requested boolean not null,
            result bytea,
            result_truncated boolean not null,
            fault text,
            fault_class text,
            updated_at bigint not null,
            finished_at bigint);
        create unique index jobs_idempotency on jobs (principal, idempotency_key) where idempotency_key is not null;
        create index jobs_due on jobs (due_at) where due_at is not null;
        create index jobs_created on jobs (created_at, job_id);

        create table denials (
            job_id uuid primary key,
            principal text not null,
            topic text not null,
            idempotency_key text,
            job_hash text not null,
            policy_hash text not null,
            at bigint not null);
        create unique index denials_idempotency on denials (principal, idempotency_key) where idempotency_key is not null;

        create table timeline (
            entry_id bigint generated always as identity primary key,
            job_id uuid not null,
            at bigint not null,
            kind text not null,
            attempt integer not null,
            actor text not null,
            detail bytea not null);
        create index timeline_job on timeline (job_id, entry_id);

        create table dead_letters (
            dead_letter_id uuid primary key,
            at bigint not null,
            fault_class text not null,
            owner text not null,
            topic text not null,
            principal text not null,
            job_id uuid,
            attempt integer not null,
            fault text,
            errors text not null,
            body bytea,
            body_length integer not null,
            body_sha256 text);
        create index dead_letters_at on dead_letters (at, dead_letter_id);

        create table outbox (
            message_id uuid primary key,
            exchange text not null,
            routing_key text not null,
            mandatory boolean not null,
            type text not null,
            body bytea not null,
            headers text not null,
            expires_at bigint,
            attempts integer not null,
            next_at bigint not null,
            last_error text,
            parked boolean not null);
        create index outbox_next on outbox (next_at) where not parked;

        create table bundles (
            hash text primary key,
            archive bytea not null,
            first_activated_at bigint not null);
        create table active_bundle (
            serial bigint not null,
            hash text not null references bundles (hash),
            activated_at bigint not null,
            actor text not null,
            only_row integer not null default 1 unique check (only_row = 1));

        create table api_keys (
            key_id text primary key,
            secret_hash text not null unique,
            subject text not null,
            person text not null,
            roles text not null,
            groups text not null,
            created_at bigint not null,
            revoked_at bigint);
        create table permit_keys (
            kid text primary key,
            secret bytea not null,
            created_at bigint not null);
        """;

    private const string AppendOnlyPostgres = """
        create function refuse_change() returns trigger language plpgsql as $$
        begin
            raise exception 'the timeline is append-only: % is refused', tg_op using errcode = 'insufficient_privilege';
        end $$;
        create trigger timeline_append_only before update or delete on timeline for each row execute function refuse_change();
        create trigger timeline_no_truncate before truncate on timeline for each statement execute function refuse_change();
        """;

    /// <summary>REPLACE deletes a row without the second trigger; the third trigger refuses the insertion.</summary>
    private const string AppendOnlySqlite = """
        create trigger timeline_no_update before update on timeline
            begin select raise(abort, 'the timeline is append-only: UPDATE is refused'); end;
        create trigger timeline_no_delete before delete on timeline
            begin select raise(abort, 'the timeline is append-only: DELETE is refused'); end;
        create trigger timeline_no_replace before insert on timeline when exists (select 1 from timeline where entry_id = new.entry_id)
        begin select raise(abort, 'the timeline is append-only: REPLACE is refused'); end;
        """;
}
