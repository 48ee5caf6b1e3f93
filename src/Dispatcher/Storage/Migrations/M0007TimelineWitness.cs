using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Dispatcher.Storage.Migrations;

/// <summary>
/// Rows count only if the timeline confirms them. The activation entry of an earlier version has no serial. The migration writes an entry
/// with the serial, but only if the timeline names the hash of the bundle in force. Otherwise the row stays contradicted, and a person has
/// to activate a bundle.
/// </summary>
[DbContext(typeof(DispatcherDb))]
[Migration("0007_timeline_witness")]
internal sealed class M0007TimelineWitness : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) =>
        migrationBuilder.Sql(ActiveProvider.EndsWith("PostgreSQL", StringComparison.Ordinal) ? OfPostgres : OfSqlite);

    /// <summary>
    /// The function reads a text from the detail of an entry. It returns null for a detail that is not JSON, so that a forged entry cannot
    /// fail a whole batch. It replaces U+0000, which PostgreSQL cannot return in a text and the reason of a vote may contain.
    /// </summary>
    private const string OfPostgres = """
        create function timeline_text(detail bytea, variadic path text[]) returns text language plpgsql stable strict parallel safe as $$
        begin
            return replace(convert_from(detail, 'UTF8'), '\u0000', '\ufffd')::json #>> path;
        exception when others then
            return null;
        end $$;

        insert into timeline (job_id, at, kind, attempt, actor, detail)
        select '00000000-0000-0000-0000-000000000000', (extract(epoch from clock_timestamp()) * 1000000)::bigint,
            'bundle_activated', 0, 'dispatcher',
            convert_to(json_build_object(
                'policy_hash', b.hash, 'serial', b.serial, 'before', b.hash, 'pinned', b.pinned, 'carried_over', true,
                'reason', 'carried over from an earlier version')::text, 'UTF8')
        from active_bundle b where b.hash = (
            select timeline_text(t.detail, 'policy_hash') from timeline t
            where t.job_id = '00000000-0000-0000-0000-000000000000' and t.kind = 'bundle_activated' order by t.entry_id desc limit 1);
        """;

    private const string OfSqlite = """
        insert into timeline (job_id, at, kind, attempt, actor, detail)
        select '00000000-0000-0000-0000-000000000000', cast(unixepoch('subsec') * 1000000 as integer), 'bundle_activated', 0, 'dispatcher',
            cast(json_object(
                'policy_hash', b.hash, 'serial', b.serial, 'before', b.hash, 'pinned', json(iif(b.pinned, 'true', 'false')),
                'carried_over', json('true'), 'reason', 'carried over from an earlier version') as blob)
        from active_bundle b where b.hash = (
            select case when json_valid(cast(t.detail as text)) then json_extract(cast(t.detail as text), '$.policy_hash') end
            from timeline t
            where t.job_id = '00000000-0000-0000-0000-000000000000' and t.kind = 'bundle_activated' order by t.entry_id desc limit 1);
        """;
}
