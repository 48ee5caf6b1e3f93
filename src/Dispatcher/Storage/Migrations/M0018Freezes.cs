using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Dispatcher.Storage.Migrations;

/// <summary>
/// Every dispatch checks the freezes in force, which are few. The index leaves out ended freezes, so they cost nothing.
/// </summary>
[DbContext(typeof(DispatcherDb))]
[Migration("0018_freezes")]
internal sealed class M0018Freezes : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) =>
        migrationBuilder.Sql(ActiveProvider.EndsWith("PostgreSQL", StringComparison.Ordinal) ? Table : SqliteTypes.In(Table));

    private const string Table = """
        create table freezes (
            freeze_id uuid primary key,
            kind text not null check (kind in ('topic', 'pool', 'all')),
            target text not null,
            reason text not null,
            actor text not null,
            since bigint not null,
            until bigint not null,
            ended_at bigint,
            ended_by text,
            end_reason text);
        create index freezes_open on freezes (until) where ended_at is null;
        """;
}
