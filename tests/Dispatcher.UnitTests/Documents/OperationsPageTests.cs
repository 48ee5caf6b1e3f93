using System.Text.RegularExpressions;
using Dispatcher.UnitTests.Hosting;

namespace Dispatcher.UnitTests.Documents;

/// <summary>The reference part of <c>ops/README.md</c> is generated from the code.</summary>
public sealed partial class OperationsPageTests
{
    private const string Begin = "<!-- From here on the page is generated; OperationsPageTests compares it with the code. -->\n";

    private static readonly string PagePath = Path.Combine(Repository.Root, "ops", "README.md");

    [Fact]
    public async Task Reference_tables_match_the_code()
    {
        await using var server = await AServer.MigratedAsync();
        using var metrics = new MetricsTables();
        var page = (await File.ReadAllTextAsync(PagePath, Stop)).Split(Begin);
        string[] parts =
        [
            "## Reference: settings\n",
            .. SettingsTables.All(),
            "## Reference: roles of keys\n",
            .. await RolesTables.AllAsync(server),
            "## Reference: exit codes\n",
            .. ExitCodesTables.All(),
            "## Reference: metrics\n",
            .. metrics.All(),
        ];
        var generated = string.Join('\n', parts).TrimEnd() + "\n";

        if (page[1] != "\n" + generated)
        {
            await File.WriteAllTextAsync(PagePath + ".received.txt", $"{page[0]}{Begin}\n{generated}", Stop);
            Assert.Fail(
                "The generated part of ops/README.md differs from the code. Compare the page with ops/README.md.received.txt; "
                    + "when the change is meant, move that file over the page."
            );
        }

        File.Delete(PagePath + ".received.txt");
    }

    [Fact]
    public async Task Metric_names_match_the_answer_of_the_server()
    {
        await using var server = await AServer.MigratedAsync();
        using var metrics = new MetricsTables();

        var answer = await server.TextAsync("/metrics");

        Assert.Empty(metrics.Silent);
        Assert.All(metrics.Names, name => Assert.Contains($"# TYPE {name} ", answer, StringComparison.Ordinal));
    }

    [Fact]
    public void Page_lists_every_variable_that_the_programs_read()
    {
        var page = File.ReadAllText(PagePath);
        var read = Repository
            .SourceFiles("src")
            .SelectMany(file => Variable().Matches(file.Text))
            .Select(match => match.Groups[1].Value)
            .Distinct();

        Assert.All(read, name => Assert.Matches($@"\b{name}\b", page));
    }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [GeneratedRegex("\"(DISPATCHER_[A-Z_]*[A-Z])\"")]
    private static partial Regex Variable();
}
