using Dispatcher.Policies.Evaluating;
using Dispatcher.Policies.Model;
using Dispatcher.Policies.Schemas;

namespace Dispatcher.Policies.Linting;

/// <summary>A topic under lint, with the means to make jobs for it.</summary>
internal sealed class LintedTopic(CompiledTopic compiled)
{
    private readonly bool _isUncertain =
        !compiled.HasAllLabels || compiled.Broken.Contains("tags") || compiled.Labels.Any(label => label.Spec.Broken.Count > 0);

    public CompiledTopic Compiled { get; } = compiled;

    public string Name => Compiled.JobClass.Topic;

    public JobClass JobClass => Compiled.JobClass;

    public IReadOnlyList<RegisteredLabel> Labels => Compiled.Labels;

    public Attributes Attributes => Compiled.Attributes;

    public IReadOnlyList<PayloadChoices> Payloads { get; } = PayloadChoices.Of(compiled);

    /// <summary>
    /// False: labels are derived from a value and from a part of it, so a <see cref="JobSpace"/> misses some payloads.
    /// </summary>
    public bool IsExact =>
        Payloads.All(place => place.IsExact)
        && !Payloads.Any(outer => Payloads.Any(inner => inner.Path.StartsWith(outer.Path + "/", StringComparison.Ordinal)));

    /// <summary>Whether two payloads give the same derived labels.</summary>
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

    /// <summary>The registry entry of a label. Null: the label is not registered.</summary>
    public LabelSpec? Spec(string label) => JobClass.Labels.GetValueOrDefault(label);

    /// <summary>Whether the registry entry of this label, or the list of labels, has errors.</summary>
    public bool IsUncertain(string label) => Spec(label) is { } spec ? spec.Broken.Count > 0 : !Compiled.HasAllLabels;

    /// <summary>
    /// Whether the rule tests a label or tag whose registry entry has errors, so nothing can be proven about the rule here.
    /// </summary>
    public bool IsUncertain(Rule rule) =>
        _isUncertain
        && Leaves
            .Of(rule)
            .Any(leaf =>
                leaf.Test is HasTags
                    ? Compiled.Broken.Contains("tags")
                    : Leaves.Attribute(leaf.Test) is { } attribute && Attributes.LabelOf(attribute) is { } label && IsUncertain(label)
            );

    /// <summary>Whether the registry allows the value for a job.</summary>
    public bool Allows(string label, string value) =>
        Spec(label) is not { Values: { } values } spec || spec.Broken.Contains("values") || values.Contains(value, StringComparer.Ordinal);

    /// <summary>The values that the label can get.</summary>
    public IReadOnlyList<string> Given(string label) =>
        Spec(label)?.Derive is { } derive
            ? [.. Payloads.First(place => place.Path == derive.Path).ValuesOf(label).Distinct(StringComparer.Ordinal)]
            : Spec(label)?.Values ?? [];

    /// <summary>Whether the label can get this value. Always true for a label that is not derived.</summary>
    public bool Gives(string label, string value) => Spec(label)?.Derive is null || Given(label).Contains(value, StringComparer.Ordinal);
}
