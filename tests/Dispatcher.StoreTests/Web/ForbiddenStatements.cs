namespace Dispatcher.StoreTests.Web;

/// <summary>Statements that the database must refuse to the serve role by its permissions.</summary>
internal static class ForbiddenStatements
{
    public static readonly string[] All =
    [
        "create table mine (id int)",
        "create view mine as select 1",
        "create schema mine",
        "create function mine() returns int language sql as 'select 1'",
        "drop table jobs",
        "drop table timeline",
        "drop function refuse_change() cascade",
        "alter table jobs add column mine int",
        "alter table timeline disable trigger all",
        "drop trigger timeline_append_only on timeline",
        "create trigger mine before insert on timeline for each row execute function refuse_change()",
        "create index mine on jobs (topic)",
        "create or replace function refuse_change() returns trigger language plpgsql as 'begin return old; end'",
        "truncate jobs",
        "insert into \"__EFMigrationsHistory\" values ('x', 'y')",
        "update timeline set actor = 'x'",
        "delete from timeline",
        "truncate timeline",
        "update timeline_seals set seq = 1",
        "delete from timeline_seals",
        "truncate timeline_seals",
        "update timeline_checkpoints set size = 1",
        "delete from timeline_checkpoints",
        "truncate timeline_checkpoints",
        "drop trigger timeline_seals_append_only on timeline_seals",
        "set session_replication_role = replica",
        "set dispatcher.retain = 'on'; delete from timeline",
        "set dispatcher.retain = 'on'; delete from timeline_seals",
        "alter table timeline owner to current_user",
        "insert into timeline (entry_id, job_id, at, kind, attempt, actor, detail) overriding system value values (-1, "
            + "gen_random_uuid(), 1, 'accepted', 0, 'x', '')",
        .. OnTable(
            "jobs",
            "job_id",
            "principal",
            "topic",
            "labels",
            "risk_tags",
            "payload",
            "idempotency_key",
            "workflow_id",
            "cost_tokens",
            "cost_usd_micros",
            "not_after",
            "job_hash",
            "reply_to",
            "created_at"
        ),
        .. OnTable(
            "approvals",
            "approval_id",
            "job_id",
            "round",
            "job_hash",
            "policy_hash",
            "basis_hash",
            "view_hash",
            "requirement",
            "created_at",
            "decide_by"
        ),
        .. OnTable("denials", "job_id", "principal", "job_hash", "policy_hash", "payload", "labels"),
        .. OnTable("dead_letters", "dead_letter_id", "fault_class", "owner", "fault", "body", "body_sha256", "job_id"),
        .. OnTable("bundles", "hash", "archive", "first_activated_at"),
        .. OnTable("active_bundle", "only_row"),
        .. OnTable("api_keys", "secret_hash", "subject", "person", "roles", "groups"),
        .. OnTable("freezes", "freeze_id", "kind", "target", "reason", "actor", "since", "until"),
        .. OnTable("permit_keys", "kid", "secret", "created_at"),
        "update outbox set body = ''",
        "update outbox set routing_key = ''",
        "create temporary table mine (id int); create trigger mine before insert on jobs for each row execute function refuse_change()",
        "alter function timeline_text(bytea, text[]) rename to mine",
        "create or replace function timeline_text(detail bytea, variadic path text[]) returns text language sql as 'select 1'",
        "alter table jobs disable trigger user",
        "reset session authorization; set role postgres",
    ];

    /// <summary>The statements that remove rows or change one of the columns.</summary>
    private static IEnumerable<string> OnTable(string table, params string[] columns) =>
        [$"delete from {table}", $"truncate {table}", .. columns.Select(column => $"update {table} set {column} = {column}")];
}
