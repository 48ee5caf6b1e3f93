using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Dispatcher.Storage.Migrations;

/// <summary>
/// The index that gates read has all they need of an ended job, so that a day of jobs is counted and measured without the rows themselves,
/// which hold payloads.
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
