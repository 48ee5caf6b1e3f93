using Dispatcher.Keys;
using Dispatcher.UnitTests.Hosting;

namespace Dispatcher.UnitTests.Keys;

/// <summary>The key of <c>DISPATCHER_API_KEY</c>, as the servers that start one after another have it.</summary>
public sealed class AdminKeyTests
{
    [Theory]
    [InlineData("a", "a")]
    [InlineData("a b", "a b")]
    [InlineData("a b c", "b c")]
    [InlineData("a b a", "a b")]
    [InlineData("a b c b", "b c")]
    [InlineData("a b c a", "c")]
    [InlineData("a b c d", "c d")]
    public async Task The_last_and_the_newest_other_stay(string starts, string alive)
    {
        await using var server = await AServer.MigratedAsync();
        var keys = server.Get<ApiKeys>();

        foreach (var secret in starts.Split(' '))
        {
            await keys.EnsureAdminAsync(secret, TestContext.Current.CancellationToken);
        }

        var found = new List<string>();
        foreach (var secret in starts.Split(' ').Distinct().Order())
        {
            found.AddRange(await keys.FindAsync(secret, TestContext.Current.CancellationToken) is null ? [] : [secret]);
        }

        Assert.Equal(alive.Split(' '), found);
    }

    [Fact]
    public async Task Other_keys_are_left_alone()
    {
        await using var server = await AServer.MigratedAsync();
        var keys = server.Get<ApiKeys>();
        var (made, _) = await keys.CreateAsync(new KeyRequest { Subject = "ann", Roles = [Role.Admin] }, TestContext.Current.CancellationToken);

        foreach (var secret in new[] { "a", "b", "c" })
        {
            await keys.EnsureAdminAsync(secret, TestContext.Current.CancellationToken);
        }

        Assert.Null((await keys.ListAsync(TestContext.Current.CancellationToken)).Single(key => key.KeyId == made.KeyId).RevokedAt);
    }

    [Fact]
    public async Task A_revoked_key_stays_revoked_when_the_server_starts_again()
    {
        await using var server = await AServer.MigratedAsync();
        var keys = server.Get<ApiKeys>();
        await keys.EnsureAdminAsync("a", TestContext.Current.CancellationToken);
        await keys.RevokeAsync((await keys.ListAsync(TestContext.Current.CancellationToken)).Single().KeyId, TestContext.Current.CancellationToken);

        await keys.EnsureAdminAsync("a", TestContext.Current.CancellationToken);

        Assert.Null(await keys.FindAsync("a", TestContext.Current.CancellationToken));
    }
}
