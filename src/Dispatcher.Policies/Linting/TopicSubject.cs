using Dispatcher.Policies.Evaluating;
using Dispatcher.Policies.Model;
using Dispatcher.Policies.Schemas;

namespace Dispatcher.Policies.Linting;

/// <summary>A topic with what lint needs to make jobs of it.</summary>
internal sealed class TopicSubject(CompiledTopic compiled)
{
    private readonly bool _isVague =
        !compiled.HasAllLabels || compiled.Broken.Contains("tags") || compiled.Labels.Any(label => label.Spec.Broken.Count > 0);

    public CompiledTopic Compiled { get; } = compiled;

    public string Name => Compiled.JobClass.Topic;

    public JobClass JobClass => Compiled.JobClass;

    public IReadOnlyList<RegisteredLabel> Labels => Compiled.Labels;

    public Slots Slots => Compiled.Slots;

    public IReadOnlyList<PayloadChoices> Payloads { get; } = PayloadChoices.Of(compiled);

    /// <summary>False: labels are derived from a value and from a part of it, so that there are payloads that no <see cref="JobSpace"/> has.</summary>
    public bool IsExact =>
        Payloads.All(place => place.IsExact)
        && !Payloads.Any(outer => Payloads.Any(inner => inner.Path.StartsWith(outer.Path + "/", StringComparison.Ordinal)));

    /// <summary>Whether the labels that are derived from two payloads are the same.</summary>
    public bool HasSameLabels(ReadOnlyMemory<byte> a, ReadOnlyMemory<byte> b)
    {
        using var one = PayloadJson.Parse(a);
        using var two = PayloadJson.Parse(b);
        return one is not null
            && two is not null
            && Labels
                .Where(label => label.Spec.Derive is not null)
                .All(label => DerivedValue.Of(one.RootElement, label.Spec.Derive!) == DerivedValue.Of(two.RootElement, label.Spec.Derive!));
    }

    /// <summary>The registry's entry of a label. Null: it has none.</summary>
    public LabelSpec? Spec(string label) => JobClass.Labels.GetValueOrDefault(label);

    /// <summary>Whether something is wrong with what the registry says of this label, or of labels at all.</summary>
    public bool IsVague(string label) => Spec(label) is { } spec ? spec.Broken.Count > 0 : !Compiled.HasAllLabels;

    /// <summary>Whether something is wrong with what the registry says of a label or tag that the rule tests, so that nothing can be proven of it here.</summary>
    public bool IsVague(Rule rule) =>
        _isVague
        && Leaves
            .Of(rule)
            .Any(leaf =>
                leaf.Test is HasTags
                    ? Compiled.Broken.Contains("tags")
                    : Leaves.Slot(leaf.Test) is { } slot && Slots.LabelOf(slot) is { } label && IsVague(label)
            );

    /// <summary>Whether a job may have this value without being denied for it, whatever the rules say.</summary>
    public bool Allows(string label, string value) =>
        Spec(label) is not { Values: { } values } spec || spec.Broken.Contains("values") || values.Contains(value, StringComparer.Ordinal);

    /// <summary>The values that the label can get.</summary>
    public IReadOnlyList<string> Given(string label) =>
        Spec(label)?.Derive is { } derive
            ? [.. Payloads.First(place => place.Path == derive.Path).ValuesOf(label).Distinct(StringComparer.Ordinal)]
            : Spec(label)?.Values ?? [];

    /// <summary>Whether the label can get this value: always where its table does not decide.</summary>
    public bool Gives(string label, string value) => Spec(label)?.Derive is null || Given(label).Contains(value, StringComparer.Ordinal);
}
