using System.Collections.Frozen;
using Dispatcher.Policies.Model;
using Dispatcher.Policies.Schemas;

namespace Dispatcher.Policies.Evaluating;

/// <summary>A topic with all that is needed to decide its jobs.</summary>
internal sealed record CompiledTopic
{
    /// <summary>Tells it from the other topics of its bundle.</summary>
    public int Number { get; init; }

    /// <summary>The keys of which something is wrong, and reported. Only lint ever sees a topic with any.</summary>
    public FrozenSet<string> Broken { get; init; } = [];

    /// <summary>False: something is wrong with the list of labels, so that there may be more. Only lint ever sees such a topic.</summary>
    public bool HasAllLabels { get; init; } = true;

    public required JobClass JobClass { get; init; }

    public required Pool Pool { get; init; }

    /// <summary>What payloads must fit. Null: they are not checked.</summary>
    public PayloadSchema? Schema { get; init; }

    /// <summary>File and line of its entry.</summary>
    public required string Where { get; init; }

    /// <summary>The timeouts that its entry leaves out, so that the defaults hold.</summary>
    public IReadOnlyList<string> DefaultTimeouts { get; init; } = [];

    /// <summary>SHA-256 of the registry entry.</summary>
    public required byte[] ContentHash { get; init; }

    /// <summary>The rules whose topic fits, a set for each pattern. This and all below is settled with them, when the whole bundle has been read.</summary>
    public RuleSet[] Rules { get; init; } = [];

    public Slots Slots { get; init; } = new();

    /// <summary>The labels of the registry entry, by name.</summary>
    public RegisteredLabel[] Labels { get; init; } = [];

    public bool HasDerivedLabels { get; init; }

    /// <summary>The slots of labels with <c>absent: no_match</c>.</summary>
    public FrozenSet<int> AbsentIsNoMatch { get; init; } = [];

    public CompiledTopic With(int number, RuleSet[] rules, Slots slots)
    {
        RegisteredLabel[] labels =
        [
            .. JobClass.Labels.Select(label => new RegisteredLabel(label.Key, slots.OfLabel(label.Key), label.Value)),
        ];
        return this with
        {
            Number = number,
            Rules = rules,
            Slots = slots,
            Labels = labels,
            HasDerivedLabels = labels.Any(label => label.Spec.Derive is not null),
            AbsentIsNoMatch = labels.Where(label => label.Spec.AbsentIsNoMatch).Select(label => label.Slot).ToFrozenSet(),
        };
    }
}

/// <summary>A label of the registry entry with the slot of its value.</summary>
internal sealed record RegisteredLabel(string Name, int Slot, LabelSpec Spec)
{
    public bool Allows(string value) => Spec.Values is null || Spec.Values.Contains(value, StringComparer.Ordinal);
}
