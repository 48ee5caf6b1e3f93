using System.Text.RegularExpressions;

namespace Dispatcher.CommandLine.Identities;

/// <summary>
/// Turns a topic pattern of the policy language into a regular expression of the broker, and back. The expression has no anchors:
/// <see cref="BrokerRights"/> sets them.
/// </summary>
internal static partial class TopicRegex
{
    /// <summary>The allowed patterns, for error messages.</summary>
    public const string Words =
        "2 to 8 segments of a-z, 0-9, _ and - with dots between; * for one segment, but not the first; ** only at the end, for the rest";

    private const string Segment = "[a-z0-9_-]+";
    private const string Rest = $@"{Segment}(\.{Segment})*";

    /// <summary>
    /// Whether the pattern can become an expression that allows exactly its topics. The first segment must be a name, so that no producer
    /// can publish under every topic.
    /// </summary>
    public static bool IsPattern(string text) => Pattern().IsMatch(text);

    /// <param name="pattern">A pattern for which <see cref="IsPattern"/> is true.</param>
    public static string Of(string pattern) =>
        string.Join(
            @"\.",
            pattern
                .Split('.')
                .Select(segment =>
                    segment switch
                    {
                        "*" => Segment,
                        "**" => Rest,
                        _ => segment,
                    }
                )
        );

    /// <summary>The pattern of which this may be the expression; the caller compares the expression of the result.</summary>
    public static string ToPattern(string regex) =>
        regex
            .Replace(Rest, "**", StringComparison.Ordinal)
            .Replace(Segment, "*", StringComparison.Ordinal)
            .Replace(@"\.", ".", StringComparison.Ordinal);

    [GeneratedRegex(@"^(?=.{1,128}\z)[a-z0-9_-]+(\.([a-z0-9_-]+|\*)){0,6}\.([a-z0-9_-]+|\*\*?)\z")]
    private static partial Regex Pattern();
}
