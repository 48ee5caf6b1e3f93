using System.Text.RegularExpressions;
using Dispatcher.UnitTests;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>
/// The rules of <c>ops/telemetry/alerts.yaml</c> with shorter times, so that a problem of seconds is a problem. Everything else is as
/// shipped.
/// </summary>
internal static class ShortAlerts
{
    /// <summary>
    /// Each time of the rules, and the time of the tests. A time that no row names fails <see cref="Text"/>. The week of
    /// DispatcherDeadLettersOld stays: retention, which ends it, drops only days that are older than that.
    /// </summary>
    private static readonly IReadOnlyList<(string Time, string Short)> Times =
    [
        (@"^(\s+for: )[0-9]+[mh]$", "${1}0s"),
        (@"\[15m\]", "[8s]"),
        (@"\[10m\]", "[6s]"),
        (@"\[5m\]", "[5s]"),
        (@"offset 15m", "offset 15s"),
        (@"_seconds\) > 60$", "_seconds) > 4"),
        (@"_seconds\) > 600$", "_seconds) > 4"),
        (@"_seconds\) > 3600$", "_seconds) > 4"),
    ];

    public static IReadOnlyList<string> Names { get; } =
    [.. Regex.Matches(Shipped(), "- alert: (\\w+)").Select(name => name.Groups[1].Value)];

    public static string Text()
    {
        var text = Shipped();
        foreach (var (time, shorter) in Times)
        {
            Assert.Matches(new Regex(time, RegexOptions.Multiline), text);
            text = Regex.Replace(text, time, shorter, RegexOptions.Multiline);
        }

        Assert.DoesNotMatch(@"for: [1-9]|\[[0-9]+[mhd]\]|offset [0-9]+[mhd]|_seconds\) > (?!604800)[0-9]{2}", text);
        return text;
    }

    private static string Shipped() => File.ReadAllText(Path.Combine(Repository.Root, "ops/telemetry/alerts.yaml"));
}
