using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Dispatcher.Storage.Migrations;

/// <summary>
/// The index has every column that gates read of an ended job. So they count and measure a day of jobs without reading the rows, which hold
/// payloads.
/// </summary>
[DbContext(typeof(DispatcherDb))]
[Migration("0008_gates")]
internal sealed class M0008Gates : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) =>
        migrationBuilder.Sql(
            """
            drop index jobs_finished;
            create index jobs_finished on jobs (finished_at, state, created_at, approval_round, job_id) where finished_at is not null;
            """
        );
}
