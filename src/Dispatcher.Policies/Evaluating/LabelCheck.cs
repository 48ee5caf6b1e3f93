using System.Text.Json;
using Dispatcher.Policies.Model;
using Dispatcher.Policies.Schemas;
using Dispatcher.Policies.Texts;

namespace Dispatcher.Policies.Evaluating;

/// <summary>Why a job's labels are not acceptable: a reason code, and words for people.</summary>
internal sealed record LabelFault(string Code, string Detail);

/// <summary>Gives every registered label the value of its source and checks it against the registry.</summary>
internal static class LabelCheck
{
    /// <summary>Changes <paramref name="facts"/> to what the rules may see. Answers the first fault by label name, or null.</summary>
    public static LabelFault? Apply(CompiledTopic topic, JobFacts job, Facts facts)
    {
        using var payload = topic.HasDerivedLabels ? PayloadJson.Parse(job.Payload) : null;
        foreach (var label in topic.Labels)
        {
            if ((Derive(label, job, payload, facts) ?? Check(label, facts.Value(label.Slot), job)) is { } fault)
            {
                return fault;
            }
        }

        return null;
    }

    private static LabelFault? Derive(RegisteredLabel label, JobFacts job, JsonDocument? payload, Facts facts)
    {
        if (label.Spec.Source == LabelSource.Producer)
        {
            return null;
        }

        var derived =
            label.Spec.Derive is null ? job.Principal
            : payload is null ? null
            : DerivedValue.Of(payload.RootElement, label.Spec.Derive);

        // What could not be derived is absent: the producer's word does not take its place.
        var stated = facts.Value(label.Slot);
        facts.Set(label.Slot, derived);
        return derived is null || stated is null || stated == derived
            ? null
            : new LabelFault(
                ReasonCodes.LabelConflict,
                $"label {label.Name} is stated as '{stated}' but is '{derived}'; leave it out or state the same"
            );
    }

    private static LabelFault? Check(RegisteredLabel label, string? value, JobFacts job)
    {
        if (value is null)
        {
            return label.Spec.Required
                ? new LabelFault(
                    ReasonCodes.LabelMissing,
                    $"label {label.Name} is missing; allowed: {Allowed(label)}{Misspelt(label, job)}"
                )
                : null;
        }

        return label.Spec.Values is null || Facts.Has(label.Spec.Values, value)
            ? null
            : new LabelFault(
                ReasonCodes.LabelInvalid,
                $"label {label.Name} is '{value}'; allowed: {Allowed(label)}{Hint(Nearest.To(value, [.. label.Spec.Values.Order(StringComparer.Ordinal)]))}"
            );
    }

    /// <summary>The stated label whose name was probably meant to be this one.</summary>
    private static string Misspelt(RegisteredLabel label, JobFacts job) =>
        job.Labels.Keys.Order(StringComparer.Ordinal).FirstOrDefault(name => Nearest.To(name, [label.Name]) is not null) is { } name
            ? $"; '{name}' is stated, did you mean {label.Name}?"
            : "";

    private static string Hint(string? nearest) => nearest is null ? "" : $"; did you mean {nearest}?";

    private static string Allowed(RegisteredLabel label) => label.Spec.Values is null ? "any value" : string.Join(", ", label.Spec.Values);
}
