using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Dispatcher.Storage.Migrations;

/// <summary>Which topics wait in which line is asked each minute: not of all jobs that ever were.</summary>
[DbContext(typeof(DispatcherDb))]
[Migration("0006_sorting")]
internal sealed class M0006Sorting : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) =>
        migrationBuilder.Sql("create index jobs_waiting on jobs (topic, pool) where state in ('accepted', 'approved', 'retrying', 'held')");
}
