using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Dispatcher.Storage.Migrations;

/// <summary>
/// <c>dispatcher retain</c> may delete old entries and seals, as the owner of the tables. Hot tables are vacuumed before they have grown.
/// </summary>
/// <remarks>PostgreSQL only: an embedded database has no retention and no vacuum of its own.</remarks>
[DbContext(typeof(DispatcherDb))]
[Migration("0014_retention")]
internal sealed class M0014Retention : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder)
    {
        if (ActiveProvider.EndsWith("PostgreSQL", StringComparison.Ordinal))
        {
            migrationBuilder.Sql(OfPostgres);
        }
    }

    /// <summary>
    /// The trigger accepts a delete only in a transaction that says that it retains, and only from the owner, who could remove the trigger.
    /// So a granted right to delete is not enough, and neither is a delete that the owner types by mistake. By default PostgreSQL vacuums
    /// a table after a fifth of its rows has changed, and reads its new rows for the planner after a tenth. In a table of millions that is
    /// too late for indexes in which most lookups find dead rows. <c>timeline_text</c> catches exceptions, which PostgreSQL does not
    /// support while a statement runs in parallel.
    /// </summary>
    private const string OfPostgres = """
        create or replace function refuse_change() returns trigger language plpgsql as $$
        begin
            if tg_op = 'DELETE' and tg_level = 'ROW' and tg_table_name in ('timeline', 'timeline_seals')
                and coalesce(current_setting('dispatcher.retain', true), '') = 'on'
                and pg_has_role(current_user, (select c.relowner from pg_class c where c.oid = tg_relid), 'usage')
            then
                return old;
            end if;
            raise exception 'the timeline is append-only: % is refused', tg_op using errcode = 'insufficient_privilege';
        end $$;

        alter table jobs set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000,
            autovacuum_analyze_scale_factor = 0.02, autovacuum_analyze_threshold = 2000);
        alter table outbox set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
            autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000);
        alter table timeline set (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.02,
            autovacuum_analyze_scale_factor = 0.02);
        alter table timeline_seals set (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.02,
            autovacuum_analyze_scale_factor = 0.02);

        alter function timeline_text(bytea, text[]) parallel unsafe;
        """;
}
