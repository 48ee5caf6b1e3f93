using Dispatcher.Judging;
using Dispatcher.Keys;
using Dispatcher.UnitTests.Hosting;

namespace Dispatcher.UnitTests.Health;

public sealed class ReadinessTests
{
    [Fact]
    public async Task Without_a_key_nobody_learns_what_is_wrong()
    {
        await using var server = await WithABrokenFolderAsync();

        var (status, body) = await server.AskAsync("GET", "/health/ready", new());

        Assert.Equal(StatusCodes.Status503ServiceUnavailable, status);
        Assert.Equal("failing", body.GetProperty("checks").GetProperty("policy_folder").GetString());
        Assert.All(body.GetProperty("checks").EnumerateObject(), check => Assert.True(check.Value.GetString() is "ok" or "failing", check.ToString()));
    }

    [Theory]
    [InlineData(Role.Admin, true)]
    [InlineData(Role.Operator, true)]
    [InlineData(Role.Approver, false)]
    [InlineData(Role.Producer, false)]
    [InlineData(Role.Worker, false)]
    public async Task The_status_says_what_is_wrong_to_operators_and_admins(string role, bool told)
    {
        await using var server = await WithABrokenFolderAsync();

        var checks = (await server.AskAsync("GET", "/api/status", ACaller.With(role))).Body.GetProperty("checks");

        var folder = checks.GetProperty("policy_folder").GetString()!;
        Assert.Equal(told, folder.Contains("rules/secret-rule.yaml", StringComparison.Ordinal));
        Assert.Equal(!told, folder == "failing");
    }

    private static async Task<AServer> WithABrokenFolderAsync()
    {
        var server = await AServer.MigratedAsync();
        Directory.CreateDirectory(Path.Combine(server.Policies, "rules"));
        await File.WriteAllTextAsync(Path.Combine(server.Policies, "rules", "secret-rule.yaml"), "version: v1\nrules: [", TestContext.Current.CancellationToken);
        await server.Get<PolicyFolder>().OnceAsync(TestContext.Current.CancellationToken);
        return server;
    }
}
