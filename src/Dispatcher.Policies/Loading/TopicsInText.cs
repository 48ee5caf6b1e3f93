using System.Text.RegularExpressions;
using Dispatcher.Policies.Evaluating;

namespace Dispatcher.Policies.Loading;

/// <summary>
/// The topics that an unreadable text may be about: every topic that it names. With them lint avoids findings that only follow from the
/// unreadable text.
/// </summary>
internal static partial class TopicsInText
{
    public static IEnumerable<TopicPattern> In(string text)
    {
        var isForAny = Match().Count(text) > Topic().Count(text);
        return Word()
            .Matches(text)
            .Select(word => new TopicPattern(word.Value))
            .Concat(isForAny ? [new TopicPattern(TopicPattern.Any)] : [])
            .Distinct();
    }

    [GeneratedRegex(@"[a-z0-9_*-]+(\.[a-z0-9_*-]+)+|\*\*")]
    private static partial Regex Word();

    [GeneratedRegex(@"\bmatch\s*:")]
    private static partial Regex Match();

    [GeneratedRegex(@"\btopic\s*:")]
    private static partial Regex Topic();
}
