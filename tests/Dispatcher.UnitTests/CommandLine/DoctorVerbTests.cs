using System.Text.Json;

namespace Dispatcher.UnitTests.CommandLine;

/// <summary>The verb <c>dispatcher doctor</c>. Tests with servers are in <c>DoctorTests</c>.</summary>
public sealed class DoctorVerbTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dispatcher-unit-");

    private static string Policies => Path.Combine(Repository.Root, "policies");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Healthy_embedded_configuration_exits_with_0_and_writes_nothing()
    {
        var data = Path.Combine(_folder.FullName, "data");

        var outcome = await CommandLineCall.RunAsync("doctor", "--data", data, "--policies", Policies);

        Assert.Equal((0, ""), (outcome.Code, outcome.Error));
        Assert.Contains("0 errors, 0 warnings", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("not checked: broker and PostgreSQL", outcome.Output, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.FullName));
    }

    [Fact]
    public async Task Wrong_settings_are_all_listed_with_their_fix_and_exit_with_1()
    {
        string[] call =
        [
            "doctor",
            "--rabbitmq",
            "http://mq",
            "--urls",
            "http://0.0.0.0:8080",
            "--policies",
            Path.Combine(_folder.FullName, "none"),
            "--audit",
            Path.Combine(_folder.FullName, "audit"),
        ];

        var outcome = await CommandLineCall.RunAsync(call);
        var json = await CommandLineCall.RunAsync([.. call, "--json"]);

        Assert.Equal((1, 1), (outcome.Code, json.Code));
        foreach (var part in (string[])["together", "begins with http://", "plain text", "does not exist", "4 errors, 0 warnings"])
        {
            Assert.Contains(part, outcome.Output, StringComparison.Ordinal);
        }

        Assert.Equal(4, outcome.Output.Split('\n').Count(line => line.StartsWith("  fix: ", StringComparison.Ordinal)));
        var findings = JsonDocument.Parse(json.Output).RootElement.GetProperty("findings").EnumerateArray().ToList();
        Assert.Equal(
            ["policies", "setting", "setting", "setting"],
            findings.Select(finding => finding.GetProperty("code").GetString()).Order(StringComparer.Ordinal)
        );
        Assert.All(findings, finding => Assert.NotEmpty(finding.GetProperty("fix").GetString()!));
    }

    [Fact]
    public async Task Wrong_option_exits_with_2() => Assert.Equal(2, (await CommandLineCall.RunAsync("doctor", "--nonsense")).Code);
}
