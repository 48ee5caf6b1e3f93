using System.Collections.Frozen;

namespace Dispatcher.Policies.Model;

/// <summary>The registry's specification of one label of a topic.</summary>
public sealed record LabelSpec
{
    /// <summary>The allowed values; any other is denied with <c>label_invalid</c>. Null: any value.</summary>
    public IReadOnlyList<string>? Values { get; init; }

    /// <summary>Whether a job without it is denied with <c>label_missing</c>. Default: false.</summary>
    public bool Required { get; init; }

    /// <summary>The source of the value. Default: the producer.</summary>
    public LabelSource Source { get; init; }

    /// <summary>
    /// True for <c>absent: no_match</c>: a rule that tests the absent label does not match, instead of being unknown. Default: false.
    /// </summary>
    public bool AbsentIsNoMatch { get; init; }

    /// <summary>
    /// How the value is derived from the payload. Not null exactly when <see cref="Source"/> is <see cref="LabelSource.Payload"/>.
    /// </summary>
    public Derivation? Derive { get; init; }

    /// <summary>The keys whose values are unreliable because they have errors. Only lint uses a label with any.</summary>
    internal FrozenSet<string> Broken { get; init; } = [];
}

/// <summary>The source of a label's value.</summary>
public enum LabelSource
{
    /// <summary>The producer states it.</summary>
    Producer,

    /// <summary>It is derived from the payload. The producer may state it too; a different value is a <c>label_conflict</c>.</summary>
    Payload,

    /// <summary>It is the principal. The producer may state it too; a different value is a <c>label_conflict</c>.</summary>
    Principal,
}

/// <summary>A table that maps a value in the payload to a label's value.</summary>
public sealed record Derivation
{
    /// <summary>
    /// The place of the value: a JSON pointer (RFC 6901), for example <c>/command</c>. The value must be an array of strings, or a string,
    /// which counts as one element.
    /// </summary>
    public required string Path { get; init; }

    /// <summary>The part of a text that the table compares. Null: the whole text.</summary>
    public DerivedPart? Part { get; init; }

    /// <summary>The first row that matches gives the value.</summary>
    public required IReadOnlyList<DerivationRow> Table { get; init; }

    /// <summary>The value if no row matches. Null: the label is then absent.</summary>
    public string? Default { get; init; }

    /// <summary>Whether it compares the characters of a text, so a list gives the label no value.</summary>
    internal bool NeedsText => Part is not null || Table.Any(row => row.Fit is RowComparison.StartsWith or RowComparison.EndsWith);
}

/// <summary>
/// The part of a text after a separator. The label gets no value if the text lacks the separator, or has nothing after it, or has nothing
/// before <c>@</c> or <c>:</c>.
/// </summary>
/// <param name="Separator"><c>@</c>, <c>/</c> or <c>:</c>.</param>
/// <param name="Which">Selects one of several separators.</param>
public sealed record DerivedPart(string Separator, Occurrence Which)
{
    /// <summary>The keys of <c>derive</c> that select a part, by how they treat several separators.</summary>
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

        // A path may begin with its separator. A text with nothing before @ or : is not an address, image or host.
        return at < 0 || (at == 0 && Separator != "/") || at + Separator.Length == text.Length ? null : text[(at + Separator.Length)..];
    }
}

/// <summary>Selects one of several separators in a text.</summary>
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
    /// <summary>
    /// The elements to compare with, ordinal, for example <c>["git", "--version"]</c>. A row that compares characters has exactly one text.
    /// </summary>
    public required IReadOnlyList<string> Elements { get; init; }

    /// <summary>How it compares.</summary>
    public required RowComparison Fit { get; init; }

    /// <summary>The label's value if the row matches.</summary>
    public required string Value { get; init; }
}

/// <summary>How a row compares with the value in the payload.</summary>
public enum RowComparison
{
    /// <summary>The elements are exactly these.</summary>
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
