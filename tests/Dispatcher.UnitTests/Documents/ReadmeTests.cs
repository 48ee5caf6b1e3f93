using System.Text.RegularExpressions;
using Dispatcher.UnitTests.CommandLine;
using Dispatcher.UnitTests.Policies.Format;

namespace Dispatcher.UnitTests.Documents;

public sealed partial class ReadmeTests
{
    /// <summary>The first page must be short enough to be read at once.</summary>
    private const int LongestReadme = 9 * 1024;

    private static readonly string Text = File.ReadAllText(Path.Combine(Repository.Root, "README.md"));

    [Fact]
    public void Readme_is_short() => Assert.InRange(new FileInfo(Path.Combine(Repository.Root, "README.md")).Length, 1, LongestReadme);

    [Fact]
    public void Readme_links_the_page_of_each_reader() =>
        Assert.All(
            PageLinkTests
                .Pages()
                .Select(row => row.Data)
                .Where(page => page.EndsWith("/README.md", StringComparison.Ordinal) && page.Count(character => character == '/') <= 2),
            page => Assert.Contains($"]({page}", Text, StringComparison.Ordinal)
        );

    [Fact]
    public async Task Readme_rule_is_shipped_and_decides_as_shown()
    {
        var rule = Block().Match(Text[Text.IndexOf("```yaml", StringComparison.Ordinal)..]).Groups[1].Value;
        var command = Block().Match(Text[Text.IndexOf("```bash", StringComparison.Ordinal)..]).Groups[1].Value;
        var shown = Block().Match(Text[Text.IndexOf("```text", StringComparison.Ordinal)..]).Groups[1].Value;
        var words = GuideFiles.Words(command[(command.IndexOf(" -- ", StringComparison.Ordinal) + 3)..].Insert(0, "dispatcher"));

        var call = await CommandLineCall.RunAsync([.. words, "--policies", Path.Combine(Repository.Root, "policies")]);

        var shipped = Directory.GetFiles(Path.Combine(Repository.Root, "policies", "rules")).Select(File.ReadAllText);
        Assert.Contains(shipped, file => file.Contains(rule, StringComparison.Ordinal));
        Assert.Equal(1, call.Code);
        Assert.StartsWith(shown, TrailingSpaces().Replace(call.Output, ""), StringComparison.Ordinal);
    }

    [GeneratedRegex("^```[a-z]+\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Block();

    [GeneratedRegex(" +$", RegexOptions.Multiline)]
    private static partial Regex TrailingSpaces();
}
