using Dispatcher.Policies.Evaluating;

namespace Dispatcher.Policies.Linting;

/// <summary>A topic whose entry is without error, with what lint needs to make jobs of it.</summary>
internal sealed class TopicSubject(CompiledTopic compiled)
{
    public CompiledTopic Compiled { get; } = compiled;

    public string Name => Compiled.JobClass.Topic;

    public JobClass JobClass => Compiled.JobClass;

    public IReadOnlyList<RegisteredLabel> Labels => Compiled.Labels;

    public Slots Slots => Compiled.Slots;

    public IReadOnlyList<PayloadChoices> Payloads { get; } = PayloadChoices.Of(compiled);

    /// <summary>False: labels are derived from a value and from a part of it, so that there are payloads that no <see cref="JobSpace"/> has.</summary>
    public bool IsExact => !Payloads.Any(outer => Payloads.Any(inner => inner.Path.StartsWith(outer.Path + "/", StringComparison.Ordinal)));

    /// <summary>The registry's entry of a label. Null: it has none.</summary>
    public LabelSpec? Spec(string label) => JobClass.Labels.GetValueOrDefault(label);

    /// <summary>Whether a job may have this value without being denied for it, whatever the rules say.</summary>
    public bool Allows(string label, string value) => Spec(label)?.Values?.Contains(value, StringComparer.Ordinal) ?? true;

    /// <summary>Whether the label can get this value: always where its table does not decide.</summary>
    public bool Gives(string label, string value) =>
        Spec(label)?.Derive is not { } derive || Payloads.First(place => place.Path == derive.Path).ValuesOf(label).Contains(value, StringComparer.Ordinal);
}
