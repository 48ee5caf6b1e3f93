using System.Text.RegularExpressions;

namespace Dispatcher.UnitTests.Documents;

/// <summary>
/// The pages refer to each other and to the code by relative links. Each link must lead to a file and a heading that exist.
/// </summary>
public sealed partial class PageLinkTests
{
    public static TheoryData<string> Pages() =>
        [
            .. Directory
                .EnumerateFiles(Repository.Root, "*.md", SearchOption.AllDirectories)
                .Select(file => Path.GetRelativePath(Repository.Root, file).Replace('\\', '/'))
                .Where(file => file.Split('/') is var parts && !parts.Contains("bin") && !parts.Contains("obj"))
                .Order(StringComparer.Ordinal),
        ];

    [Theory]
    [MemberData(nameof(Pages))]
    public void Relative_links_lead_to_existing_files_and_headings(string page)
    {
        var text = WithoutCode(File.ReadAllText(Path.Combine(Repository.Root, page)));
        var folder = Path.GetDirectoryName(Path.Combine(Repository.Root, page))!;

        var broken = Link()
            .Matches(text)
            .Select(match => match.Groups[1].Value)
            .Where(link => !link.Contains("://", StringComparison.Ordinal) && !link.StartsWith("mailto:", StringComparison.Ordinal))
            .Where(link => !Exists(folder, Path.Combine(Repository.Root, page), link));

        Assert.Empty(broken);
    }

    private static bool Exists(string folder, string page, string link)
    {
        var (path, anchor) = link.Split('#') is [var file, var heading] ? (file, heading) : (link, null);
        var target = path.Length == 0 ? page : Path.GetFullPath(Path.Combine(folder, path));
        return anchor is null ? Path.Exists(target) : File.Exists(target) && Anchors(target).Contains(anchor);
    }

    /// <summary>The anchors that GitHub makes of the headings.</summary>
    private static HashSet<string> Anchors(string page) =>
        [
            .. Heading()
                .Matches(WithoutCode(File.ReadAllText(page)))
                .Select(match =>
                    string.Concat(
                        match
                            .Groups[1]
                            .Value.ToLowerInvariant()
                            .Where(character => char.IsLetterOrDigit(character) || character is ' ' or '-' or '_')
                            .Select(character => character == ' ' ? '-' : character)
                    )
                ),
        ];

    private static string WithoutCode(string text) => CodeBlock().Replace(text, "");

    [GeneratedRegex("^```.*?^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex CodeBlock();

    [GeneratedRegex("^#+ (.*)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();
}
