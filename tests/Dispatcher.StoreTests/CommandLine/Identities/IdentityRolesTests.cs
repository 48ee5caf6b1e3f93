using Dispatcher.Base;
using Dispatcher.CommandLine.Identities;
using Dispatcher.Worker.Effects;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Dispatcher.StoreTests.CommandLine.Identities;

/// <summary>Database roles of identities. SQLite has no roles.</summary>
public sealed class IdentityRolesTests() : StoreTest(StoreKind.Postgres)
{
    private readonly string _role = $"id-{Guid.NewGuid():n}";
    private IdentityRoles? _roles;

    private IdentityRoles Roles => _roles ??= new IdentityRoles(Database.PostgresConnectionString);

    public override async ValueTask DisposeAsync()
    {
        await Roles.RemoveAsync(_role, Stop);
        await Roles.DisposeAsync();
        await base.DisposeAsync();
    }

    [Fact]
    public async Task Role_of_a_server_has_no_right_beyond_need()
    {
        await Roles.CreateServerAsync(_role, GeneratedSecret.New(), Stop);

        var role = Assert.Single(await RoleRights.ReadAsync(Roles.Database, [_role], Stop));

        Assert.Equal((_role, true), (role.Name, role.Serves));
        Assert.Empty(role.Excess);
    }

    [Theory]
    [InlineData("grant delete on timeline to {0}", "DELETE on timeline")]
    [InlineData("grant update (topic) on jobs to {0}", "UPDATE (topic) on jobs")]
    [InlineData("grant update on api_keys to {0}", "UPDATE on api_keys")]
    [InlineData("grant insert (entry_id) on timeline to {0}", "INSERT (entry_id) on timeline")]
    [InlineData("grant create on schema public to {0}", "CREATE on schema public")]
    [InlineData("create table more (id int); grant select on more to {0}", "SELECT on more")]
    [InlineData("alter role {0} createdb", "createdb")]
    [InlineData("alter role {0} createrole", "createrole")]
    [InlineData("alter role {0} bypassrls", "bypassrls")]
    [InlineData("alter role {0} superuser", RoleRights.Superuser)]
    public async Task Right_beyond_need_is_found(string statement, string excess)
    {
        await Roles.CreateServerAsync(_role, GeneratedSecret.New(), Stop);

        await Database.ExecuteAsync(statement.Replace("{0}", $"\"{_role}\"", StringComparison.Ordinal));

        var role = Assert.Single(await RoleRights.ReadAsync(Roles.Database, [_role], Stop));
        Assert.Equal([excess], role.Excess);
    }

    [Fact]
    public async Task Owner_of_the_tables_and_caller_are_not_revoked()
    {
        await Roles.CreateServerAsync(_role, GeneratedSecret.New(), Stop);
        await Database.ExecuteAsync($"alter table jobs owner to \"{_role}\"");

        var owner = await Assert.ThrowsAsync<ExitException>(() => Roles.RemoveAsync(_role, Stop));
        await Database.ExecuteAsync("alter table jobs owner to current_user");
        var caller = await Assert.ThrowsAsync<ExitException>(() => Roles.RemoveAsync("postgres", Stop));

        Assert.Equal((ExitCode.No, ExitCode.No), (owner.Code, caller.Code));
        Assert.Equal(
            [
                [true],
            ],
            await Database.QueryAsync($"select rolcanlogin from pg_roles where rolname = '{_role}'")
        );
    }

    [Fact]
    public async Task Right_through_another_role_is_found()
    {
        var group = _role + "-group";
        await Roles.CreateServerAsync(_role, GeneratedSecret.New(), Stop);
        await Database.ExecuteAsync($"create role \"{group}\"; grant delete on jobs to \"{group}\"; grant \"{group}\" to \"{_role}\"");

        var role = Assert.Single(await RoleRights.ReadAsync(Roles.Database, [_role], Stop));
        await Database.ExecuteAsync($"drop owned by \"{group}\"; drop role \"{group}\"");

        Assert.Equal(["DELETE on jobs"], role.Excess);
    }

    /// <summary>Also a second time, when the schema and its tables exist.</summary>
    [Fact]
    public async Task Role_for_effects_can_use_the_store_of_its_pool_and_create_nothing()
    {
        var second = _role + "-2";
        var password = GeneratedSecret.New();
        await Roles.CreateEffectsAsync(_role, password, "my-pool", Stop);
        await Roles.CreateEffectsAsync(second, password, "my-pool", Stop);
        foreach (var role in new[] { _role, second })
        {
            var address = Roles.ConnectionOf(role, password, IdentityRoles.EffectSchema("my-pool")) + ";Pooling=false";
            using var store = PoolEffectStore.Open(address, TimeProvider.System, NullLogger.Instance);
            var owner = new EffectOwner(Guid.CreateVersion7(), 1, Guid.CreateVersion7());

            await store.CreateSchemaAsync(Stop);
            Assert.Null(await store.BeginAsync(owner, "key", mayRepeat: false, Stop));
            await store.DoneAsync(owner, "key", 7, Stop);

            Assert.Equal("7", await store.BeginAsync(owner, "key", mayRepeat: false, Stop));
            await using var database = NpgsqlDataSource.Create(address);
            foreach (
                var statement in new[] { "select * from public.jobs", "create table mine (id int)", "create table public.mine (id int)" }
            )
            {
                await using var command = database.CreateCommand(statement);
                var refused = await Assert.ThrowsAsync<PostgresException>(() => command.ExecuteNonQueryAsync(Stop));
                Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refused.SqlState);
            }
        }

        Assert.Empty(Assert.Single(await RoleRights.ReadAsync(Roles.Database, [_role], Stop)).Excess);
        Assert.Equal(RoleRemoval.Dropped, await Roles.RemoveAsync(second, Stop));
        Assert.Equal(RoleRemoval.Missing, await Roles.RemoveAsync(second, Stop));
    }

    [Theory]
    [InlineData("public")]
    [InlineData("a\"; drop table jobs; --")]
    public async Task Name_that_is_no_role_never_reaches_a_statement(string name)
    {
        await Assert.ThrowsAsync<ArgumentException>(() => Roles.CreateEffectsAsync(name, "x", "shell", Stop));
        await Assert.ThrowsAsync<ArgumentException>(() => Roles.CreateServerAsync(name, "x", Stop));
        Assert.Equal(RoleRemoval.Missing, await Roles.RemoveAsync(name, Stop));
    }
}
