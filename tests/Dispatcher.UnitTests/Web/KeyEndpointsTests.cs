using System.Text.Json;
using Dispatcher.UnitTests.Hosting;
using Dispatcher.Web;

namespace Dispatcher.UnitTests.Web;

public sealed class KeyEndpointsTests
{
    [Theory]
    [InlineData("""{"subject":"a","roles":[null,"producer"]}""", "unknown_role /roles/0")]
    [InlineData("""{"subject":"a","roles":["producer","worker:"]}""", "unknown_role /roles/1")]
    [InlineData("""{"subject":"a","roles":["worker:\u0000"]}""", "unknown_role /roles/0")]
    [InlineData("""{"subject":"a","roles":["worker:Main"]}""", "unknown_role /roles/0")]
    [InlineData("""{"subject":"a","person":"ann","roles":["approver"],"groups":["sre",null]}""", "bad_group /groups/1")]
    [InlineData("""{"subject":"a","person":"ann","roles":["approver"],"groups":["\u0000"]}""", "bad_group /groups/0")]
    [InlineData("""{"subject":"a","person":"ann","roles":["approver"],"groups":[""]}""", "bad_group /groups/0")]
    [InlineData("""{"subject":"a","person":"ann","roles":["approver"],"groups":["SRE"]}""", "bad_group /groups/0")]
    [InlineData("""{"subject":"a","person":"ann","roles":["approver"],"groups":["sre\n"]}""", "bad_group /groups/0")]
    [InlineData("""{"subject":"a","roles":["approver"]}""", "no_person /person")]
    [InlineData("""{"subject":"a","person":null,"roles":["producer","approver"]}""", "no_person /person")]
    [InlineData("""{"subject":"a","roles":[]}""", "no_person /person")]
    [InlineData("""{"subject":"a","person":"","roles":["approver"]}""", "bad_principal /person")]
    [InlineData("""{"subject":"a","person":"Ann","roles":["approver"]}""", "bad_principal /person")]
    public async Task Create_names_each_invalid_role_group_and_person(string request, string error)
    {
        await using var server = await AServer.MigratedAsync();

        var (status, body) = await server.AskAsync("POST", "/api/keys/", ACaller.With(Role.Admin), body: request);

        Assert.Equal(StatusCodes.Status400BadRequest, status);
        Assert.Equal([error], AServer.Errors(body));
    }

    [Fact]
    public async Task Created_key_has_the_requested_roles_and_groups()
    {
        await using var server = await AServer.MigratedAsync();
        var group = new string('g', 64);

        var (status, body) = await server.AskAsync(
            "POST",
            "/api/keys/",
            ACaller.With(Role.Admin),
            body: $$"""{"subject":"ann","person":"ann","roles":["worker:main","approver"],"groups":["{{group}}"]}"""
        );

        Assert.Equal(StatusCodes.Status201Created, status);
        var key = (await server.Get<ApiKeys>().FindAsync(body.GetProperty("key").GetString()!, TestContext.Current.CancellationToken))!;
        Assert.Equal(["worker:main", "approver"], key.Roles);
        Assert.Equal([group], key.Groups);
    }

    [Fact]
    public async Task Create_without_roles_binds_a_principal_and_makes_no_key()
    {
        await using var server = await AServer.MigratedAsync();

        var (status, body) = await server.AskAsync(
            "POST",
            "/api/keys/",
            ACaller.With(Role.Admin),
            body: """{"subject":"billing","person":"bea","roles":[]}"""
        );

        Assert.Equal(StatusCodes.Status201Created, status);
        Assert.Equal(
            (JsonValueKind.Null, "billing", "bea"),
            (body.GetProperty("key").ValueKind, body.GetProperty("subject").GetString(), body.GetProperty("person").GetString())
        );
        Assert.True(await server.Get<PrincipalOwners>().HasOneAsync("billing", TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Key_without_a_person_gives_its_subject_no_owner()
    {
        await using var server = await AServer.MigratedAsync();

        var (_, body) = await server.AskAsync(
            "POST",
            "/api/keys/",
            ACaller.With(Role.Admin),
            body: """{"subject":"billing","roles":["producer"]}"""
        );

        Assert.Equal(JsonValueKind.Null, body.GetProperty("person").ValueKind);
        Assert.False(await server.Get<PrincipalOwners>().HasOneAsync("billing", TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Principal_has_an_owner_while_one_of_its_bindings_is_valid()
    {
        await using var server = await AServer.MigratedAsync();
        var (keys, owners, stop) = (server.Get<ApiKeys>(), server.Get<PrincipalOwners>(), TestContext.Current.CancellationToken);
        Assert.False(await owners.HasOneAsync("billing", stop));
        var (first, _) = await keys.CreateAsync(
            new KeyRequest
            {
                Subject = "billing",
                Person = "bea",
                Roles = [],
            },
            stop
        );
        var (second, _) = await keys.CreateAsync(
            new KeyRequest
            {
                Subject = "billing",
                Person = "ben",
                Roles = [Role.Producer],
            },
            stop
        );

        await keys.RevokeAsync(first.KeyId, stop);
        var withOne = await owners.HasOneAsync("billing", stop);
        await keys.RevokeAsync(second.KeyId, stop);

        Assert.Equal((true, false), (withOne, await owners.HasOneAsync("billing", stop)));
    }
}
