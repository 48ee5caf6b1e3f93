using System.Text.RegularExpressions;
using Dispatcher.Policies.Evaluating;

namespace Dispatcher.Policies.Loading;

/// <summary>Which topics a text may be about that is no YAML: whatever it names. So one broken file does not hide what others lack.</summary>
internal static partial class LostTopics
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
