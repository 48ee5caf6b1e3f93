using Dispatcher.Api;
using Dispatcher.Audit.Sealing;
using Dispatcher.Base;
using Dispatcher.Enforcement;
using Dispatcher.Storage;
using Dispatcher.UnitTests.Hosting;
using Dispatcher.Web;
using MassTransit.Transports;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace Dispatcher.UnitTests.Api;

public sealed class ReadinessTests
{
    [Fact]
    public async Task Readiness_without_a_key_hides_the_reasons()
    {
        await using var server = await WithABrokenFolderAsync();

        var (status, body) = await server.AskAsync("GET", "/health/ready", new());

        Assert.Equal(StatusCodes.Status503ServiceUnavailable, status);
        Assert.Equal("failing", body.GetProperty("checks").GetProperty("policy_folder").GetString());
        Assert.All(
            body.GetProperty("checks").EnumerateObject(),
            check => Assert.True(check.Value.GetString() is "ok" or "failing", check.ToString())
        );
    }

    [Theory]
    [InlineData(Role.Admin, true)]
    [InlineData(Role.Operator, true)]
    [InlineData(Role.Approver, false)]
    [InlineData(Role.Producer, false)]
    [InlineData(Role.Worker, false)]
    public async Task Status_shows_the_reasons_to_operators_and_admins(string role, bool told)
    {
        await using var server = await WithABrokenFolderAsync();

        var checks = (await server.AskAsync("GET", "/api/status", ACaller.With(role))).Body.GetProperty("checks");

        var folder = checks.GetProperty("policy_folder").GetString()!;
        Assert.Equal(told, folder.Contains("rules/secret-rule.yaml", StringComparison.Ordinal));
        Assert.Equal(!told, folder == "failing");
    }

    [Fact]
    public async Task Readiness_reports_a_hanging_read_of_the_folder()
    {
        await using var server = await AServer.MigratedAsync();
        var time = new FakeTimeProvider();
        using var folder = new PolicyFolder(
            server.Get<BundleActivation>(),
            server.Get<IDbContextFactory<DispatcherDb>>(),
            server.Get<ServerSettings>(),
            server.Get<CurrentBundle>(),
            server.Get<DispatcherMetrics>(),
            server.Get<IOptions<PolicyFolderOptions>>(),
            time,
            server.Get<ILogger<PolicyFolder>>()
        );
        await folder.OnceAsync(TestContext.Current.CancellationToken);
        var readiness = new Readiness(
            server.Get<StoreHealth>(),
            server.Get<StoreClock>(),
            server.Get<CurrentBundle>(),
            folder,
            server.Get<IEnumerable<IBusInstance>>(),
            server.Get<Sealer>()
        );
        var before = readiness.Checks["policy_folder"];

        time.Advance(TimeSpan.FromSeconds(31));

        Assert.DoesNotContain("last read", before, StringComparison.Ordinal);
        Assert.Contains("was last read", readiness.Checks["policy_folder"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(30, "ahead of")]
    [InlineData(-30, "behind")]
    public async Task Clock_fault_states_the_direction_of_the_difference(int seconds, string direction)
    {
        await using var server = await AServer.MigratedAsync();
        using var clock = new StoreClock(
            server.Get<IStore>(),
            new ShiftedTime(TimeSpan.FromSeconds(seconds)),
            server.Get<ILogger<StoreClock>>()
        );
        await clock.OnceAsync(TestContext.Current.CancellationToken);

        // The time that the query takes is part of the difference.
        Assert.Matches($@"^this machine's clock is (29|30|31)\.\d s {direction} the database's; at most 2 s are allowed\z", clock.Trouble);
    }

    private static async Task<AServer> WithABrokenFolderAsync()
    {
        var server = await AServer.MigratedAsync();
        Directory.CreateDirectory(Path.Combine(server.Policies, "rules"));
        await File.WriteAllTextAsync(
            Path.Combine(server.Policies, "rules", "secret-rule.yaml"),
            "version: v1\nrules: [",
            TestContext.Current.CancellationToken
        );
        await server.Get<PolicyFolder>().OnceAsync(TestContext.Current.CancellationToken);
        return server;
    }
}
