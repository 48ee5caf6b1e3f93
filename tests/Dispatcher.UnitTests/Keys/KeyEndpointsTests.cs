using Dispatcher.Keys;
using Dispatcher.UnitTests.Hosting;

namespace Dispatcher.UnitTests.Keys;

public sealed class KeyEndpointsTests
{
    [Theory]
    [InlineData("""{"subject":"a","roles":[null,"producer"]}""", "unknown_role /roles/0")]
    [InlineData("""{"subject":"a","roles":["producer","worker:"]}""", "unknown_role /roles/1")]
    [InlineData("""{"subject":"a","roles":["worker:\u0000"]}""", "unknown_role /roles/0")]
    [InlineData("""{"subject":"a","roles":["worker:Main"]}""", "unknown_role /roles/0")]
    [InlineData("""{"subject":"a","roles":["approver"],"groups":["sre",null]}""", "bad_group /groups/1")]
    [InlineData("""{"subject":"a","roles":["approver"],"groups":["\u0000"]}""", "bad_group /groups/0")]
    [InlineData("""{"subject":"a","roles":["approver"],"groups":[""]}""", "bad_group /groups/0")]
    [InlineData("""{"subject":"a","roles":["approver"],"groups":["SRE"]}""", "bad_group /groups/0")]
    [InlineData("""{"subject":"a","roles":["approver"],"groups":["sre\n"]}""", "bad_group /groups/0")]
    public async Task What_cannot_be_a_role_or_a_group_is_named(string request, string error)
    {
        await using var server = await AServer.MigratedAsync();

        var (status, body) = await server.AskAsync("POST", "/api/keys/", ACaller.With(Role.Admin), body: request);

        Assert.Equal(StatusCodes.Status400BadRequest, status);
        Assert.Equal([error], AServer.Errors(body));
    }

    [Fact]
    public async Task A_key_has_the_roles_and_groups_that_were_asked_for()
    {
        await using var server = await AServer.MigratedAsync();
        var group = new string('g', 64);

        var (status, body) = await server.AskAsync("POST", "/api/keys/", ACaller.With(Role.Admin), body: $$"""{"subject":"ann","roles":["worker:main","approver"],"groups":["{{group}}"]}""");

        Assert.Equal(StatusCodes.Status201Created, status);
        var key = (await server.Get<ApiKeys>().FindAsync(body.GetProperty("key").GetString()!, TestContext.Current.CancellationToken))!;
        Assert.Equal(["worker:main", "approver"], key.Roles);
        Assert.Equal([group], key.Groups);
    }
}
