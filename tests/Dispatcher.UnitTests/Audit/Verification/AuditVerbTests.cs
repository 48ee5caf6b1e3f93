using System.Text.Json;
using Dispatcher.Jobs;
using Dispatcher.UnitTests.CommandLine;
using Dispatcher.UnitTests.Hosting;

namespace Dispatcher.UnitTests.Audit.Verification;

/// <summary><c>dispatcher audit</c> on the data folder of an embedded server.</summary>
public sealed class AuditVerbTests
{
    [Fact]
    public async Task Verify_reports_findings_and_what_it_could_not_rule_out()
    {
        await using var server = await AServer.MigratedAsync();
        var entry = new TimelineEntry
        {
            JobId = Guid.CreateVersion7(),
            Kind = "accepted",
            Actor = "billing",
            Detail = [.. "{}"u8],
        };
        await server.StoreAsync(entry);

        var fine = await CommandLineCall.RunAsync("audit", "verify", "--data", server.Data, "--json");

        Assert.Equal(0, fine.Code);
        using var report = JsonDocument.Parse(fine.Output);
        Assert.True(report.RootElement.GetProperty("ok").GetBoolean());
        Assert.Equal(1, report.RootElement.GetProperty("unsealed").GetInt64());
        Assert.Contains("may have rewritten", fine.Output, StringComparison.Ordinal);

        await server.Get<Dispatcher.Audit.Sealing.Sealer>().SealAsync(TestContext.Current.CancellationToken);
        await using (var db = await server.DatabaseAsync())
        {
            await Microsoft.EntityFrameworkCore.RelationalDatabaseFacadeExtensions.ExecuteSqlRawAsync(
                db.Database,
                "drop trigger timeline_no_update; update timeline set actor = 'nobody'",
                TestContext.Current.CancellationToken
            );
        }

        var bad = await CommandLineCall.RunAsync("audit", "verify", "--data", server.Data);
        Assert.Equal(1, bad.Code);
        Assert.StartsWith("ALTERED: entry 1 ", bad.Output, StringComparison.Ordinal);
        Assert.Contains(entry.JobId.ToString(), bad.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Export_is_checked_without_the_database()
    {
        await using var server = await AServer.MigratedAsync();
        await server.StoreAsync(
            new TimelineEntry
            {
                JobId = Guid.CreateVersion7(),
                Kind = "accepted",
                Actor = "billing",
                Detail = [.. "{}"u8],
            }
        );
        await server.Get<Dispatcher.Audit.Sealing.Sealer>().SealAsync(TestContext.Current.CancellationToken);
        var file = Path.Combine(server.Data, "history.ndjson");

        Assert.Equal(0, (await CommandLineCall.RunAsync("audit", "export", "--data", server.Data, "--output", file)).Code);
        Assert.Equal(0, (await CommandLineCall.RunAsync("audit", "verify", "--file", file)).Code);
        await File.WriteAllTextAsync(
            file,
            (await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken)).Replace(
                "billing",
                "nobody",
                StringComparison.Ordinal
            ),
            TestContext.Current.CancellationToken
        );
        Assert.Equal(1, (await CommandLineCall.RunAsync("audit", "verify", "--file", file)).Code);
    }

    [Theory]
    [InlineData(2, "verify", "--data", "/nowhere")]
    [InlineData(2, "verify", "--data", "a", "--postgres", "Host=b")]
    [InlineData(2, "verify", "--file", "/nowhere/history.ndjson")]
    [InlineData(2, "verify", "--file", "x", "--key", "/nowhere/key.pub")]
    [InlineData(3, "verify", "--postgres", "Host=127.0.0.1;Port=1;Username=x;Database=x")]
    [InlineData(3, "export", "--postgres", "Host=127.0.0.1;Port=1;Username=x;Database=x")]
    public async Task Wrong_use_and_an_unavailable_database_have_different_exit_codes(int code, params string[] args)
    {
        var call = await CommandLineCall.RunAsync(["audit", .. args]);

        Assert.Equal(code, call.Code);
        Assert.Contains("fix: ", call.Error, StringComparison.Ordinal);
        Assert.True(code != 3 || call.Error.Contains("127.0.0.1:1", StringComparison.Ordinal), call.Error);
    }
}
