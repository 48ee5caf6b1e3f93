using System.Collections.Frozen;
using Dispatcher.Policies.Model;
using Dispatcher.Policies.Schemas;

namespace Dispatcher.Policies.Evaluating;

/// <summary>A topic with everything that is needed to decide its jobs.</summary>
internal sealed record CompiledTopic
{
    /// <summary>Identifies the topic within its bundle.</summary>
    public int Number { get; init; }

    /// <summary>The keys of the entry with reported errors. Only lint uses a topic with any.</summary>
    public FrozenSet<string> Broken { get; init; } = [];

    /// <summary>False: the list of labels has errors, so labels may be missing here. Only lint uses such a topic.</summary>
    public bool HasAllLabels { get; init; } = true;

    public required JobClass JobClass { get; init; }

    public required Pool Pool { get; init; }

    /// <summary>The schema of the payloads. Null: payloads are not checked.</summary>
    public PayloadSchema? Schema { get; init; }

    /// <summary>File and line of the registry entry.</summary>
    public required string Where { get; init; }

    /// <summary>The timeouts that the entry leaves to the defaults.</summary>
    public IReadOnlyList<string> DefaultTimeouts { get; init; } = [];

    /// <summary>SHA-256 of the registry entry.</summary>
    public required byte[] ContentHash { get; init; }

    /// <summary>
    /// The rules for this topic, one set for each topic pattern. This and the properties below are set when the whole bundle has been read.
    /// </summary>
    public RuleSet[] Rules { get; init; } = [];

    public Attributes Attributes { get; init; } = new();

    /// <summary>The labels of the registry entry, by name.</summary>
    public RegisteredLabel[] Labels { get; init; } = [];

    public bool HasDerivedLabels { get; init; }

    /// <summary>The attributes of labels with <c>absent: no_match</c>.</summary>
    public FrozenSet<int> AbsentIsNoMatch { get; init; } = [];

    public CompiledTopic With(int number, RuleSet[] rules, Attributes attributes)
    {
        RegisteredLabel[] labels =
        [
            .. JobClass.Labels.Select(label => new RegisteredLabel(label.Key, attributes.OfLabel(label.Key), label.Value)),
        ];
        return this with
        {
            Number = number,
            Rules = rules,
            Attributes = attributes,
            Labels = labels,
            HasDerivedLabels = labels.Any(label => label.Spec.Derive is not null),
            AbsentIsNoMatch = labels.Where(label => label.Spec.AbsentIsNoMatch).Select(label => label.Attribute).ToFrozenSet(),
        };
    }
}

/// <summary>A label of the registry entry with the attribute of its value.</summary>
internal sealed record RegisteredLabel(string Name, int Attribute, LabelSpec Spec)
{
    public bool Allows(string value) => Spec.Values is null || Spec.Values.Contains(value, StringComparer.Ordinal);
}
