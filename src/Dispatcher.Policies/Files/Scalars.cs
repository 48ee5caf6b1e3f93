using System.Globalization;
using System.Text.RegularExpressions;

namespace Dispatcher.Policies.Files;

/// <summary>Reads single values. If the node has another kind, each method adds an error and returns null or the fallback.</summary>
internal static partial class Scalars
{
    public static string? Text(YamlNode node, string what, ErrorList errors)
    {
        if (node.Kind == NodeKind.Broken)
        {
            return null;
        }

        if (node.Kind != NodeKind.Text)
        {
            errors.Add(node, BundleErrorCodes.WrongKind, $"{what} is {Kind(node)}; allowed: one text.", "write one value.");
            return null;
        }

        if (IsEmpty(node))
        {
            errors.Add(
                node,
                BundleErrorCodes.NotText,
                $"{what} is empty, which YAML reads as null; allowed: text.",
                "write a text, or \"\" if none is meant."
            );
            return null;
        }

        if (node.IsPlain && NotText().IsMatch(node.Text))
        {
            // The intended value is clear, so reading continues with it.
            errors.Add(
                node.Where,
                BundleErrorCodes.NotText,
                $"{what} is {node.Text}, which YAML reads as a boolean, a number or null; allowed: text.",
                $"quote it: \"{node.Text}\"."
            );
        }

        return node.Text;
    }

    /// <summary>A text that matches a pattern; <paramref name="allowed"/> describes the pattern.</summary>
    public static string? Text(YamlNode node, string what, Regex pattern, string allowed, ErrorList errors)
    {
        if (Text(node, what, errors) is not { } text)
        {
            return null;
        }

        if (pattern.IsMatch(text))
        {
            return text;
        }

        var message = $"{what} is '{text}'; allowed: {allowed}.";
        var lower = text.ToLowerInvariant();
        if (pattern.IsMatch(lower))
        {
            errors.Add(node.Where, BundleErrorCodes.BadValue, message, $"write it in lower case: {lower}");
            return lower;
        }

        errors.Add(node, BundleErrorCodes.BadValue, message, "write an allowed value.");
        return null;
    }

    public static bool Flag(YamlNode node, string what, ErrorList errors)
    {
        if (node.Kind != NodeKind.Broken && !(node.IsPlain && node.Text is "true" or "false"))
        {
            errors.Add(node, BundleErrorCodes.BadValue, $"{what} is {Show(node)}; allowed: true, false.", "write true or false, unquoted.");
        }

        return node.Text == "true";
    }

    public static long? Number(YamlNode node, string what, long least, long most, ErrorList errors)
    {
        if (node.Kind == NodeKind.Broken)
        {
            return null;
        }

        var isNumber = node.IsPlain && WholeNumber().IsMatch(node.Text);
        if (
            isNumber
            && long.TryParse(node.Text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && number >= least
            && number <= most
        )
        {
            return number;
        }

        errors.Add(
            node,
            BundleErrorCodes.BadValue,
            $"{what} is {Show(node)}; allowed: a whole number from {Show(least)} to {Show(most)}.",
            "write such a number, unquoted."
        );
        return null;
    }

    public static TimeSpan? Duration(YamlNode node, string what, TimeSpan least, TimeSpan most, ErrorList errors)
    {
        if (node.Kind == NodeKind.Broken)
        {
            return null;
        }

        if (DurationOf(node, most) is { } duration && duration >= least)
        {
            return duration;
        }

        errors.Add(
            node,
            BundleErrorCodes.BadValue,
            $"{what} is {Show(node)}; allowed: {Show(least)} to {Show(most)}, as 250ms, 15s, 2m or 1h.",
            "write such a duration."
        );
        return null;
    }

    public static DateTimeOffset? Time(YamlNode node, string what, ErrorList errors)
    {
        if (node.Kind == NodeKind.Broken)
        {
            return null;
        }

        var fits = node.Kind == NodeKind.Text && Rfc3339().IsMatch(node.Text);
        if (fits && DateTimeOffset.TryParse(node.Text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time))
        {
            return time;
        }

        errors.Add(
            node,
            BundleErrorCodes.BadValue,
            $"{what} is {Show(node)}; allowed: a time with its offset.",
            "write it as 2026-11-01T00:00:00Z."
        );
        return null;
    }

    public static DateOnly? Date(YamlNode node, string what, ErrorList errors)
    {
        if (DateOnly.TryParseExact(node.Text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var date))
        {
            return date;
        }

        if (node.Kind != NodeKind.Broken)
        {
            errors.Add(node, BundleErrorCodes.BadValue, $"{what} is {Show(node)}; allowed: a date.", "write it as 2026-11-01.");
        }

        return null;
    }

    public static string Kind(YamlNode node) =>
        node.Kind switch
        {
            NodeKind.Text when IsEmpty(node) => "empty",
            NodeKind.Text => "a text",
            NodeKind.List => "a list",
            NodeKind.Map => "a mapping",
            NodeKind.Broken => "a broken value",
        };

    /// <summary>
    /// Null: the text is not a duration, or is longer than the maximum. The check comes before the multiplication, which could overflow.
    /// </summary>
    private static TimeSpan? DurationOf(YamlNode node, TimeSpan most)
    {
        var match = DurationText().Match(node.Kind == NodeKind.Text ? node.Text : "");
        if (!match.Success)
        {
            return null;
        }

        var count = long.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture);
        var unit = Unit(match.Groups[2].Value);
        return count <= most.Ticks / unit.Ticks ? count * unit : null;
    }

    private static bool IsEmpty(YamlNode node) => node is { Kind: NodeKind.Text, IsPlain: true, Text: "" };

    private static string Show(YamlNode node) =>
        node.Kind != NodeKind.Text || IsEmpty(node) ? Kind(node)
        : node.IsPlain ? node.Text
        : $"\"{node.Text}\"";

    private static string Show(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Show(TimeSpan duration) =>
        duration < TimeSpan.FromSeconds(1) ? Show((long)duration.TotalMilliseconds) + "ms"
        : duration < TimeSpan.FromHours(1) ? Show((long)duration.TotalSeconds) + "s"
        : Show((long)duration.TotalHours) + "h";

    private static TimeSpan Unit(string unit) =>
        unit switch
        {
            "ms" => TimeSpan.FromMilliseconds(1),
            "s" => TimeSpan.FromSeconds(1),
            "m" => TimeSpan.FromMinutes(1),
            _ => TimeSpan.FromHours(1),
        };

    // The YAML 1.2 core schema, and what YAML 1.1 parsers read as a boolean or a number: an author may have either in mind.
    [GeneratedRegex(
        @"\A(~?|(?i:null|true|false|yes|no|on|off|y|n)"
            + @"|[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?"
            + @"|[-+]?0(o[0-7]+|x[0-9a-fA-F_]+|b[01_]+)"
            + @"|[-+]?\.(?i:inf)|\.(?i:nan)|[-+]?[0-9]+(:[0-5]?[0-9])+)\z",
        RegexOptions.CultureInvariant
    )]
    private static partial Regex NotText();

    [GeneratedRegex(@"\A(0|[1-9][0-9]{0,17})\z")]
    private static partial Regex WholeNumber();

    [GeneratedRegex(@"\A([1-9][0-9]{0,8})(ms|s|m|h)\z")]
    private static partial Regex DurationText();

    [GeneratedRegex(@"\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,7})?(Z|[-+][0-9]{2}:[0-9]{2})\z")]
    private static partial Regex Rfc3339();
}
