using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Dispatcher.Storage.Migrations;

/// <summary>Workers report the offset of their clock and the deliveries that they dropped.</summary>
[DbContext(typeof(DispatcherDb))]
[Migration("0013_worker_troubles")]
internal sealed class M0013WorkerTroubles : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) =>
        migrationBuilder.Sql(
            """
            alter table workers add column clock_ahead_ms bigint;
            alter table workers add column dropped bigint not null default 0;
            alter table workers add column dropping text;
            """
        );
}
