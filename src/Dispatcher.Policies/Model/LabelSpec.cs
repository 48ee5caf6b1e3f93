using System.Collections.Frozen;

namespace Dispatcher.Policies.Model;

/// <summary>What <c>topics.yaml</c> says of one label of a topic.</summary>
public sealed record LabelSpec
{
    /// <summary>The values it may have; any other is denied with <c>label_invalid</c>. Null: any value.</summary>
    public IReadOnlyList<string>? Values { get; init; }

    /// <summary>Whether a job without it is denied with <c>label_missing</c>. Default: false.</summary>
    public bool Required { get; init; }

    /// <summary>Whose word it is. Default: the producer's.</summary>
    public LabelSource Source { get; init; }

    /// <summary>True for <c>absent: no_match</c>: where it is absent, a rule that tests it does not match, instead of unknown. Default: false.</summary>
    public bool AbsentIsNoMatch { get; init; }

    /// <summary>How it is derived from the payload. Not null exactly when <see cref="Source"/> is <see cref="LabelSource.Payload"/>.</summary>
    public Derivation? Derive { get; init; }

    /// <summary>The keys that are not as they stand here, because something is wrong with them. Only lint ever sees a label with any.</summary>
    internal FrozenSet<string> Broken { get; init; } = [];
}

/// <summary>Whose word a label is.</summary>
public enum LabelSource
{
    /// <summary>The producer states it.</summary>
    Producer,

    /// <summary>It is derived from the payload. A producer may state it too, but only the same; else <c>label_conflict</c>.</summary>
    Payload,

    /// <summary>It is the principal. A producer may state it too, but only the same; else <c>label_conflict</c>.</summary>
    Principal,
}

/// <summary>A table that turns a value in the payload into a label's value.</summary>
public sealed record Derivation
{
    /// <summary>Where the value is: a JSON pointer (RFC 6901), for example <c>/command</c>. It must be an array of strings, or a string, which counts as one element.</summary>
    public required string Path { get; init; }

    /// <summary>The part of a text that the table looks at. Null: all of it.</summary>
    public DerivedPart? Part { get; init; }

    /// <summary>The first row that fits gives the value.</summary>
    public required IReadOnlyList<DerivationRow> Table { get; init; }

    /// <summary>The value when no row fits. Null: the label is absent then.</summary>
    public string? Default { get; init; }

    /// <summary>Whether it looks at the characters of a text, so that a list gives the label no value.</summary>
    internal bool NeedsText => Part is not null || Table.Any(row => row.Fit is RowFit.StartsWith or RowFit.EndsWith);
}

/// <summary>What follows a separator in a text. A text without the separator, or with nothing after it, or with nothing before <c>@</c> or <c>:</c>, gives the label no value.</summary>
/// <param name="Separator"><c>@</c>, <c>/</c> or <c>:</c>.</param>
/// <param name="Which">Which one, where the text has several.</param>
public sealed record DerivedPart(string Separator, Occurrence Which)
{
    /// <summary>The keys of <c>derive</c> that take a part, by what they do with several separators.</summary>
    internal static readonly IReadOnlyDictionary<string, Occurrence> Keys = new SortedDictionary<string, Occurrence>(StringComparer.Ordinal)
    {
        ["after"] = Occurrence.Only,
        ["after_first"] = Occurrence.First,
        ["after_last"] = Occurrence.Last,
    };

    internal static readonly IReadOnlyList<string> Separators = ["@", "/", ":"];

    internal string? Of(string text)
    {
        var first = text.IndexOf(Separator, StringComparison.Ordinal);
        var last = text.LastIndexOf(Separator, StringComparison.Ordinal);
        var at = Which switch
        {
            Occurrence.Only => first == last ? first : -1,
            Occurrence.First => first,
            Occurrence.Last => last,
        };

        // A path may begin with its separator. What has nothing before @ or : is no address, image or host.
        return at < 0 || (at == 0 && Separator != "/") || at + Separator.Length == text.Length ? null : text[(at + Separator.Length)..];
    }
}

/// <summary>Which separator of a text is meant.</summary>
public enum Occurrence
{
    /// <summary>The only one: a text with several gives no value.</summary>
    Only,

    /// <summary>The first of several.</summary>
    First,

    /// <summary>The last of several.</summary>
    Last,
}

/// <summary>One row of a <see cref="Derivation"/>.</summary>
public sealed record DerivationRow
{
    /// <summary>The elements to compare with, ordinal, for example <c>["git", "--version"]</c>; of a row that looks at characters, the one text.</summary>
    public required IReadOnlyList<string> Elements { get; init; }

    /// <summary>How it compares.</summary>
    public required RowFit Fit { get; init; }

    /// <summary>The label's value then.</summary>
    public required string Value { get; init; }
}

/// <summary>How a row compares with what the payload has.</summary>
public enum RowFit
{
    /// <summary>The elements are these and no others.</summary>
    Exact,

    /// <summary>The elements begin with these.</summary>
    Prefix,

    /// <summary>The elements end with these.</summary>
    Suffix,

    /// <summary>The text begins with these characters.</summary>
    StartsWith,

    /// <summary>The text ends with these characters.</summary>
    EndsWith,
}
