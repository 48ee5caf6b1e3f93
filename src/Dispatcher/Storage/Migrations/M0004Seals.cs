using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Dispatcher.Storage.Migrations;

/// <summary>The seals of the timeline, and the indexes for gate queries.</summary>
[DbContext(typeof(DispatcherDb))]
[Migration("0004_seals")]
internal sealed class M0004Seals : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder)
    {
        var postgres = ActiveProvider.EndsWith("PostgreSQL", StringComparison.Ordinal);
        migrationBuilder.Sql(postgres ? Tables : SqliteTypes.In(Tables));
        migrationBuilder.Sql(postgres ? OfPostgres : OfSqlite);
    }

    private const string Tables = """
        create table timeline_seals (
            seq bigint primary key,
            entry_id bigint not null unique,
            job_id uuid not null,
            job_previous bigint not null,
            hash bytea not null);
        create index timeline_seals_job on timeline_seals (job_id, seq);

        create table timeline_checkpoints (
            size bigint not null,
            key_id text not null,
            origin text not null,
            root bytea not null,
            head bytea not null,
            at bigint not null,
            signature bytea not null,
            frontier bytea not null,
            primary key (size, key_id));

        create index timeline_dispatched on timeline (job_id, attempt) where kind = 'dispatched';
        create index timeline_holds on timeline (job_id, entry_id) where kind in ('held', 'approved');
        create index jobs_finished on jobs (finished_at, state, created_at) where finished_at is not null;
        """;

    private const string OfPostgres = """
        create index timeline_high_risk on timeline (at)
            where kind = 'dispatched' and position('"verdict":"REQUIRE_APPROVAL"'::bytea in detail) > 0;
        create trigger timeline_seals_append_only before update or delete on timeline_seals for each row execute function refuse_change();
        create trigger timeline_seals_no_truncate before truncate on timeline_seals for each statement execute function refuse_change();
        create trigger timeline_checkpoints_append_only before update or delete on timeline_checkpoints
            for each row execute function refuse_change();
        create trigger timeline_checkpoints_no_truncate before truncate on timeline_checkpoints
            for each statement execute function refuse_change();
        """;

    private const string OfSqlite = """
        create index timeline_high_risk on timeline (at)
            where kind = 'dispatched' and instr(detail, cast('"verdict":"REQUIRE_APPROVAL"' as blob)) > 0;
        create trigger timeline_seals_no_update before update on timeline_seals
            begin select raise(abort, 'the timeline is append-only: UPDATE is refused'); end;
        create trigger timeline_seals_no_delete before delete on timeline_seals
            begin select raise(abort, 'the timeline is append-only: DELETE is refused'); end;
        create trigger timeline_seals_no_replace before insert on timeline_seals
            when exists (select 1 from timeline_seals where seq = new.seq or entry_id = new.entry_id)
        begin select raise(abort, 'the timeline is append-only: REPLACE is refused'); end;
        create trigger timeline_checkpoints_no_update before update on timeline_checkpoints
            begin select raise(abort, 'the timeline is append-only: UPDATE is refused'); end;
        create trigger timeline_checkpoints_no_delete before delete on timeline_checkpoints
            begin select raise(abort, 'the timeline is append-only: DELETE is refused'); end;
        create trigger timeline_checkpoints_no_replace before insert on timeline_checkpoints
        when exists (select 1 from timeline_checkpoints where size = new.size and key_id = new.key_id)
        begin select raise(abort, 'the timeline is append-only: REPLACE is refused'); end;
        """;
}
