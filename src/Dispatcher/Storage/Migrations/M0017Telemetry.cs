using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Dispatcher.Storage.Migrations;

/// <summary>
/// Every server counts the dead letters of each owner and the parked messages of the outbox every few seconds. With these indexes it reads
/// no row.
/// </summary>
[DbContext(typeof(DispatcherDb))]
[Migration("0017_telemetry")]
internal sealed class M0017Telemetry : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) =>
        migrationBuilder.Sql(
            """
            create index dead_letters_owner on dead_letters (owner, at);
            create index outbox_parked on outbox (next_at) where parked;
            """
        );
}
