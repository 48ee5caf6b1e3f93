using System.Collections.Frozen;

namespace Dispatcher.Policies;

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

    /// <summary>The first row that fits gives the value.</summary>
    public required IReadOnlyList<DerivationRow> Table { get; init; }

    /// <summary>The value when no row fits. Null: the label is absent then.</summary>
    public string? Default { get; init; }
}

/// <summary>One row of a <see cref="Derivation"/>.</summary>
public sealed record DerivationRow
{
    /// <summary>The elements to compare with, ordinal, for example <c>["git", "--version"]</c>.</summary>
    public required IReadOnlyList<string> Elements { get; init; }

    /// <summary>True: the payload's elements begin with <see cref="Elements"/>. False: they are the same.</summary>
    public required bool IsPrefix { get; init; }

    /// <summary>The label's value then.</summary>
    public required string Value { get; init; }
}
