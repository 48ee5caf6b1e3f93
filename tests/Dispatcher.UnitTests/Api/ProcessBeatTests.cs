using Dispatcher.Api;
using Dispatcher.UnitTests.Hosting;
using Dispatcher.Web;

namespace Dispatcher.UnitTests.Api;

public sealed class ProcessBeatTests
{
    [Fact]
    public async Task Process_is_listed_from_its_start_to_its_stop()
    {
        await using var server = await AServer.MigratedAsync();
        var beat = server.Get<ProcessBeat>();

        await beat.StartAsync(TestContext.Current.CancellationToken);
        var process = Assert.Single(
            (await server.AskAsync("GET", "/api/policies/", ACaller.With(Role.Operator))).Body.GetProperty("processes").EnumerateArray()
        );
        Assert.Equal(
            (Environment.ProcessId, Environment.MachineName),
            (process.GetProperty("pid").GetInt32(), process.GetProperty("host").GetString())
        );

        await beat.StopAsync(TestContext.Current.CancellationToken);
        Assert.Equal(
            0,
            (await server.AskAsync("GET", "/api/policies/", ACaller.With(Role.Operator))).Body.GetProperty("processes").GetArrayLength()
        );
    }
}
