using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Dispatcher.Storage.Migrations;

/// <summary>Once a minute a query reads which topics wait in which backlog. With the index it reads waiting jobs only.</summary>
[DbContext(typeof(DispatcherDb))]
[Migration("0006_sorting")]
internal sealed class M0006Sorting : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) =>
        migrationBuilder.Sql("create index jobs_waiting on jobs (topic, pool) where state in ('accepted', 'approved', 'retrying', 'held')");
}
