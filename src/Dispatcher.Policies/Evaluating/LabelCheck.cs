using System.Text.Json;
using Dispatcher.Policies.Model;
using Dispatcher.Policies.Schemas;
using Dispatcher.Policies.Texts;

namespace Dispatcher.Policies.Evaluating;

/// <summary>Why a job's labels are not acceptable: a reason code, and a text for people.</summary>
internal sealed record LabelError(string Code, string Detail);

/// <summary>Gives each registered label the value of its source, and checks the value against the registry.</summary>
internal static class LabelCheck
{
    /// <summary>Changes <paramref name="facts"/> to what the rules may see. Returns the first error by label name, or null.</summary>
    public static LabelError? Apply(CompiledTopic topic, JobFacts job, Facts facts)
    {
        using var payload = topic.HasDerivedLabels ? PayloadJson.Parse(job.Payload) : null;
        foreach (var label in topic.Labels)
        {
            if ((Derive(label, job, payload, facts) ?? Check(label, facts.Value(label.Attribute), job)) is { } fault)
            {
                return fault;
            }
        }

        return null;
    }

    private static LabelError? Derive(RegisteredLabel label, JobFacts job, JsonDocument? payload, Facts facts)
    {
        if (label.Spec.Source == LabelSource.Producer)
        {
            return null;
        }

        var derived =
            label.Spec.Derive is null ? job.Principal
            : payload is null ? null
            : DerivedValue.Of(payload.RootElement, label.Spec.Derive);

        // A label that cannot be derived is absent: the stated value does not replace it.
        var stated = facts.Value(label.Attribute);
        facts.Set(label.Attribute, derived);
        return derived is null || stated is null || stated == derived
            ? null
            : new LabelError(
                ReasonCodes.LabelConflict,
                $"label {label.Name} is stated as '{stated}' but is '{derived}'; leave it out or state the same value"
            );
    }

    private static LabelError? Check(RegisteredLabel label, string? value, JobFacts job)
    {
        if (value is null)
        {
            return label.Spec.Required
                ? new LabelError(
                    ReasonCodes.LabelMissing,
                    $"label {label.Name} is missing; allowed: {Allowed(label)}{Misspelt(label, job)}"
                )
                : null;
        }

        return label.Spec.Values is null || Facts.Has(label.Spec.Values, value)
            ? null
            : new LabelError(
                ReasonCodes.LabelInvalid,
                $"label {label.Name} is '{value}'; allowed: "
                    + $"{Allowed(label)}{Hint(Nearest.To(value, [.. label.Spec.Values.Order(StringComparer.Ordinal)]))}"
            );
    }

    /// <summary>A hint that a stated label is probably a misspelling of this one.</summary>
    private static string Misspelt(RegisteredLabel label, JobFacts job) =>
        job.Labels.Keys.Order(StringComparer.Ordinal).FirstOrDefault(name => Nearest.To(name, [label.Name]) is not null) is { } name
            ? $"; '{name}' is stated, did you mean {label.Name}?"
            : "";

    private static string Hint(string? nearest) => nearest is null ? "" : $"; did you mean {nearest}?";

    private static string Allowed(RegisteredLabel label) => label.Spec.Values is null ? "any value" : string.Join(", ", label.Spec.Values);
}
