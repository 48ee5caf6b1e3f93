using System.Text.RegularExpressions;

namespace Dispatcher.UnitTests.Architecture;

public sealed partial class SecurityPageTests
{
    /// <summary>A page that names a test which was renamed or removed names a check that does not exist.</summary>
    [Fact]
    public void Every_test_that_the_security_page_names_exists()
    {
        var page = File.ReadAllText(Path.Combine(Repository.Root, "ops", "security.md"));
        var sources = Directory
            .GetFiles(Path.Combine(Repository.Root, "tests"), "*.cs", SearchOption.AllDirectories)
            .Select(File.ReadAllText)
            .ToList();

        var rows = page.Split('\n').Where(line => line.StartsWith("| ", StringComparison.Ordinal)).Skip(1).ToList();
        var names = rows.SelectMany(row => TestName().Matches(row.Split('|')[^2]))
            .Select(match => match.Groups[1].Value)
            .Distinct()
            .ToList();

        Assert.All(rows, row => Assert.Matches(TestName(), row.Split('|')[^2]));
        Assert.All(
            names,
            name =>
                Assert.Contains(
                    sources,
                    source =>
                        source.Contains($"class {name}", StringComparison.Ordinal) || source.Contains($" {name}(", StringComparison.Ordinal)
                )
        );
    }

    [GeneratedRegex("`([A-Z][A-Za-z_]+)`")]
    private static partial Regex TestName();
}
