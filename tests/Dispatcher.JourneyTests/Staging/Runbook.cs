using System.Text.RegularExpressions;
using Dispatcher.UnitTests;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>The entries of <c>ops/runbook.md</c> and their commands.</summary>
internal static partial class Runbook
{
    /// <summary>The headings of all entries that have commands.</summary>
    public static IReadOnlyList<string> Headings { get; } = [.. Entries().Where(entry => entry.Value.Count > 0).Select(entry => entry.Key)];

    /// <summary>The heading that an annotation names, for example <c>ops/runbook.md#dispatcherdown</c>.</summary>
    public static string Heading(string annotation) =>
        Assert.Single(Entries().Keys, heading => "ops/runbook.md#" + Anchor(heading) == annotation);

    /// <summary>
    /// The commands in the code spans of an entry: calls of <c>dispatcher</c>, <c>curl</c> and <c>rabbitmqctl</c>, and SQL. A span of one
    /// word names a program or a part and is no command.
    /// </summary>
    public static IReadOnlyList<string> Commands(string heading) => Entries()[heading];

    private static Dictionary<string, IReadOnlyList<string>> Entries() =>
        File.ReadAllText(Path.Combine(Repository.Root, "ops/runbook.md"))
            .Split("\n#")
            .Skip(1)
            .Select(part => part.Split('\n', 2))
            .ToDictionary(
                part => part[0].TrimStart('#', ' '),
                part =>
                    (IReadOnlyList<string>)
                        [
                            .. Span()
                                .Matches(part[1])
                                .Select(span => Whitespace().Replace(span.Groups[1].Value, " "))
                                .Where(span => Command().IsMatch(span))
                                .Distinct(),
                        ]
            );

    /// <summary>As the web pages of repositories make it.</summary>
    private static string Anchor(string heading) => NotInAnchor().Replace(heading.ToLowerInvariant(), "").Replace(' ', '-');

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Span();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Whitespace();

    [GeneratedRegex("^(dispatcher|curl|rabbitmqctl|select|update) ")]
    private static partial Regex Command();

    [GeneratedRegex("[^a-z0-9 -]")]
    private static partial Regex NotInAnchor();
}
