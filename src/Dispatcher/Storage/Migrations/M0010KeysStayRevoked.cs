using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Dispatcher.Storage.Migrations;

/// <summary>
/// The role of the server may update <c>revoked_at</c>, because it revokes keys. The trigger keeps it from restoring a revoked key. The
/// constraints keep it from writing a row that no server can read, which would hide the list of keys or stop the dispatch of a pool.
/// </summary>
/// <remarks>PostgreSQL only: an embedded database has no role but its owner.</remarks>
[DbContext(typeof(DispatcherDb))]
[Migration("0010_keys_stay_revoked")]
internal sealed class M0010KeysStayRevoked : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder)
    {
        if (ActiveProvider.EndsWith("PostgreSQL", StringComparison.Ordinal))
        {
            migrationBuilder.Sql(OfPostgres);
        }
    }

    private const string OfPostgres = """
        create function refuse_revival() returns trigger language plpgsql as $$
        begin
            raise exception 'a revoked key stays revoked' using errcode = 'insufficient_privilege';
        end $$;
        create trigger api_keys_stay_revoked before update on api_keys for each row
            when (old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at) execute function refuse_revival();

        alter table api_keys add constraint api_keys_readable
            check (json_typeof(roles::json) = 'array' and json_typeof(groups::json) = 'array');
        alter table workers add constraint workers_readable
            check (json_typeof(topics::json) = 'array' and json_typeof(enforcers::json) = 'array' and json_typeof(missing::json) = 'array');
        """;
}
