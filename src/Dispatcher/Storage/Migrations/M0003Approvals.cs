using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Dispatcher.Storage.Migrations;

/// <summary>The approvals of held jobs. A job that was held before has no approval, and expires.</summary>
[DbContext(typeof(DispatcherDb))]
[Migration("0003_approvals")]
internal sealed class M0003Approvals : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) =>
        migrationBuilder.Sql(ActiveProvider.EndsWith("PostgreSQL", StringComparison.Ordinal) ? Changes : SqliteTypes.In(Changes));

    private const string Changes = """
        alter table jobs add column approval_round integer not null default 0;

        create table approvals (
            approval_id uuid primary key,
            job_id uuid not null,
            round integer not null,
            state text not null,
            version integer not null,
            job_hash text not null,
            policy_hash text not null,
            basis_hash text not null,
            view_hash text not null,
            requirement text not null,
            votes text not null,
            created_at bigint not null,
            decide_by bigint not null,
            decided_at bigint,
            use_by bigint,
            permit_id uuid,
            end_reason text);
        create unique index approvals_round on approvals (job_id, round);
        create index approvals_state on approvals (state, created_at, approval_id);
        """;
}
