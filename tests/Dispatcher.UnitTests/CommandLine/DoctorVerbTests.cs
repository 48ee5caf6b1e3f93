using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.CommandLine.Diagnosing;
using Dispatcher.ReferenceWorker.Logs;

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
    public void Check_of_the_log_file_leaves_nothing_behind()
    {
        var existing = Path.Combine(_folder.FullName, "log");
        File.WriteAllText(existing, "a line");

        Assert.Null(LogTargets.FileFault(existing));
        Assert.Null(LogTargets.FileFault(Path.Combine(_folder.FullName, "new", "log")));
        Assert.Contains("cannot be written to", LogTargets.FileFault(Path.Combine(existing, "log")), StringComparison.Ordinal);
        Assert.Contains("cannot be written to", LogTargets.FileFault(_folder.FullName), StringComparison.Ordinal);

        Assert.Equal([existing], Directory.EnumerateFileSystemEntries(_folder.FullName));
        Assert.Equal("a line", File.ReadAllText(existing));
    }

    [Fact]
    public async Task Broker_that_takes_no_message_is_listed_as_not_checked()
    {
        var diagnosis = Diagnosis();
        var never = new TaskCompletionSource<long?>();

        await BrokerChecks.CheckLimitAsync(diagnosis, _ => never.Task, TimeSpan.FromMilliseconds(1), TestContext.Current.CancellationToken);

        Assert.Contains("alarm", Assert.Single(diagnosis.NotChecked), StringComparison.Ordinal);
        Assert.Empty(diagnosis.Findings);
    }

    [Theory]
    [InlineData("synchronous_commit", "error")]
    [InlineData("fsync", "warning")]
    [InlineData("full_page_writes", "warning")]
    public void Only_a_setting_that_no_storage_replaces_is_an_error(string setting, string severity)
    {
        var diagnosis = Diagnosis();

        DatabaseChecks.NoteSetting(diagnosis, setting);

        Assert.Equal(severity, Assert.Single(diagnosis.Findings).Severity.ToString(), ignoreCase: true);
    }

    [Fact]
    public void Names_in_commands_are_one_argument_of_the_shell() =>
        Assert.Equal(@"'/ $(x) it'\''s'", ManagementChecks.Quoted("/ $(x) it's"));

    private static Diagnosis Diagnosis() => new(new ServerSettings { PolicyFolder = Policies, Urls = "" }, _ => null, TimeProvider.System);

    [Fact]
    public async Task Wrong_option_exits_with_2() => Assert.Equal(2, (await CommandLineCall.RunAsync("doctor", "--nonsense")).Code);
}
