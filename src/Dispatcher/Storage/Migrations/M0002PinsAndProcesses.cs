using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Dispatcher.Storage.Migrations;

/// <summary>
/// A bundle can be pinned, a process reports its version and bundle, and a denial keeps the facts for another evaluation.
/// </summary>
[DbContext(typeof(DispatcherDb))]
[Migration("0002_pins_and_processes")]
internal sealed class M0002PinsAndProcesses : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) =>
        migrationBuilder.Sql(ActiveProvider.EndsWith("PostgreSQL", StringComparison.Ordinal) ? Changes : SqliteTypes.In(Changes));

    /// <summary>An earlier denial gets no payload, so another bundle cannot evaluate it.</summary>
    private const string Changes = """
        alter table active_bundle add column pinned boolean not null default false;

        create table processes (
            instance_id uuid primary key,
            host text not null,
            pid integer not null,
            version text not null,
            policy_hash text not null,
            folder_hash text,
            folder_errors integer not null,
            started_at bigint not null,
            seen_at bigint not null);

        alter table denials add column labels text not null default '{}';
        alter table denials add column risk_tags text not null default '[]';
        alter table denials add column payload bytea;
        alter table denials add column workflow_id text;
        create index denials_at on denials (at);
        """;
}
