using Dispatcher.Base;
using Dispatcher.Hosting;
using Dispatcher.UnitTests.CommandLine;
using Dispatcher.UnitTests.Hosting;
using Dispatcher.Web;

namespace Dispatcher.UnitTests.Web;

/// <summary>The key of <c>DISPATCHER_API_KEY</c> over several starts of servers.</summary>
public sealed class AdminKeyTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("a", "a")]
    [InlineData("a a", "a")]
    [InlineData("a b", "b")]
    [InlineData("a b c", "c")]
    [InlineData("a b a", "b")]
    [InlineData("a b c b", "c")]
    public async Task Start_keeps_only_the_newest_admin_key_and_never_restores_a_replaced_one(string starts, string alive)
    {
        await using var server = await AServer.MigratedAsync();
        var keys = server.Get<ApiKeys>();

        foreach (var secret in starts.Split(' '))
        {
            await keys.EnsureAdminAsync(secret, Stop);
        }

        var found = new List<string>();
        foreach (var secret in starts.Split(' ').Distinct().Order())
        {
            found.AddRange(await keys.FindAsync(secret, Stop) is null ? [] : [secret]);
        }

        Assert.Equal([alive], found);
    }

    [Fact]
    public async Task Start_keeps_other_keys_valid()
    {
        await using var server = await AServer.MigratedAsync();
        var keys = server.Get<ApiKeys>();
        var (made, _) = await keys.CreateAsync(new KeyRequest { Subject = "ann", Roles = [Role.Admin] }, Stop);

        foreach (var secret in new[] { "a", "b", "c" })
        {
            await keys.EnsureAdminAsync(secret, Stop);
        }

        Assert.Null((await keys.ListAsync(Stop)).Single(key => key.KeyId == made.KeyId).RevokedAt);
    }

    [Fact]
    public async Task Revoked_admin_key_stays_revoked_after_a_restart()
    {
        await using var server = await AServer.MigratedAsync();
        var keys = server.Get<ApiKeys>();
        await keys.EnsureAdminAsync("a", Stop);
        await keys.RevokeAsync((await keys.ListAsync(Stop)).Single().KeyId, Stop);

        await keys.EnsureAdminAsync("a", Stop);

        Assert.Null(await keys.FindAsync("a", Stop));
    }

    [Fact]
    public async Task Keys_stay_known_after_a_revocation_and_many_wrong_keys()
    {
        await using var server = await AServer.MigratedAsync();
        var keys = server.Get<ApiKeys>();
        var request = new KeyRequest { Subject = "ann", Roles = [Role.Admin] };
        var ((_, honest), (revoked, gone)) = (await keys.CreateAsync(request, Stop), await keys.CreateAsync(request, Stop));
        await keys.FindAsync(honest, Stop);
        await keys.FindAsync(gone, Stop);

        await keys.RevokeAsync(revoked.KeyId, Stop);
        for (var i = 0; i < 10_002; i++)
        {
            await keys.FindAsync($"guess {i}", Stop);
        }

        await keys.FindAsync(gone, Stop);
        Assert.Equal((true, false, false), (keys.HasFound(honest), keys.HasFound(gone), keys.HasFound("guess 1")));
    }

    [Fact]
    public async Task Start_loads_all_valid_keys()
    {
        await using var server = await AServer.MigratedAsync();
        var keys = server.Get<ApiKeys>();
        var request = new KeyRequest { Subject = "ann", Roles = [Role.Admin] };
        var ((_, honest), (revoked, gone)) = (await keys.CreateAsync(request, Stop), await keys.CreateAsync(request, Stop));
        await keys.RevokeAsync(revoked.KeyId, Stop);

        await new AdminKey(keys, server.Get<ServerSettings>()).StartAsync(Stop);

        Assert.Equal((true, false), (keys.HasFound(honest), keys.HasFound(gone)));
    }

    [Theory]
    [InlineData("a", "it has 1 characters; allowed are 24 to 512")]
    [InlineData("12345678901234567890123", "it has 23 characters; allowed are 24 to 512")]
    [InlineData("abababababababababababababab", "it has 2 different characters; at least 10 are needed")]
    [InlineData("two words 0123456789abcdef", "it has characters other than visible ASCII; a header cannot carry them")]
    [InlineData("0123456789abcdefghijklmn", null)]
    public void Strength_check_refuses_a_weak_key_without_showing_it(string key, string? why) =>
        Assert.Equal(why, KeyStrength.WhyWeak(key));

    [Fact]
    public async Task Server_does_not_start_with_a_weak_key()
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, "hunter2", Stop);
            Environment.SetEnvironmentVariable("DISPATCHER_API_KEY_FILE", file);

            var outcome = await CommandLineCall.RunAsync("serve", "--data", "/nowhere/that/exists");

            Assert.Equal(2, outcome.Code);
            Assert.Contains("it has 7 characters", outcome.Error, StringComparison.Ordinal);
            Assert.DoesNotContain("hunter2", outcome.Error, StringComparison.Ordinal);
        }
        finally
        {
            Environment.SetEnvironmentVariable("DISPATCHER_API_KEY_FILE", null);
            File.Delete(file);
        }
    }
}
