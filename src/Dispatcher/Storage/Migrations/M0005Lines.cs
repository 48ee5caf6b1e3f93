using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Dispatcher.Storage.Migrations;

/// <summary>Each pool has a backlog, which includes retries, and a register of workers.</summary>
[DbContext(typeof(DispatcherDb))]
[Migration("0005_lines_and_workers")]
internal sealed class M0005Lines : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) =>
        migrationBuilder.Sql(ActiveProvider.EndsWith("PostgreSQL", StringComparison.Ordinal) ? Changes : SqliteTypes.In(Changes));

    /// <summary>Waiting jobs get no pool; the next check of the registry moves them to the backlog of theirs.</summary>
    private const string Changes = """
        alter table jobs add column ready_at bigint not null default 0;
        alter table jobs add column give_up_at bigint;
        update jobs set ready_at = created_at, pool = coalesce(pool, '') where state in ('accepted', 'approved', 'held', 'retrying');
        create index jobs_line on jobs (pool, ready_at, job_id) where state in ('accepted', 'approved', 'retrying');
        create index jobs_out on jobs (pool) where state in ('dispatched', 'running');

        create table workers (
            pool text not null,
            principal text not null,
            instance text not null,
            version text not null,
            topics text not null,
            enforcers text not null,
            missing text not null,
            capacity integer not null,
            shared boolean not null,
            started_at bigint not null,
            seen_at bigint not null,
            primary key (pool, principal, instance));
        """;
}
