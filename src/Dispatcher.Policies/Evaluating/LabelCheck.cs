using System.Text.Json;

namespace Dispatcher.Policies.Evaluating;

/// <summary>Why a job's labels are not acceptable: a reason code, and words for people.</summary>
internal sealed record LabelFault(string Code, string Detail);

/// <summary>Gives every registered label the value of its source and checks it against the registry.</summary>
internal static class LabelCheck
{
    /// <summary>Changes <paramref name="labels"/> to what the rules may see. Answers the first fault by label name, or null.</summary>
    public static LabelFault? Apply(JobClass jobClass, JobFacts job, Dictionary<string, string> labels)
    {
        using JsonDocument? payload = jobClass.Labels.Values.Any(spec => spec.Derive is not null) ? DerivedValue.Parse(job.Payload) : null;
        foreach ((string name, LabelSpec spec) in jobClass.Labels)
        {
            if (Derive(name, spec, job, payload, labels) is { } conflict)
            {
                return conflict;
            }

            if (Check(name, spec, labels.GetValueOrDefault(name)) is { } fault)
            {
                return fault;
            }
        }

        return null;
    }

    private static LabelFault? Derive(string name, LabelSpec spec, JobFacts job, JsonDocument? payload, Dictionary<string, string> labels)
    {
        if (spec.Source == LabelSource.Producer)
        {
            return null;
        }

        string? derived = spec.Derive is null ? job.Principal : payload is null ? null : DerivedValue.Of(payload.RootElement, spec.Derive);

        // What could not be derived is absent: the producer's word does not take its place.
        labels.Remove(name, out string? stated);
        if (derived is null)
        {
            return null;
        }

        labels[name] = derived;
        return stated is null || stated == derived
            ? null
            : new LabelFault(ReasonCodes.LabelConflict, $"label {name} is stated as '{stated}' but is '{derived}'; leave it out or state the same");
    }

    private static LabelFault? Check(string name, LabelSpec spec, string? value)
    {
        string allowed = spec.Values is null ? "any value" : string.Join(", ", spec.Values);
        if (value is null)
        {
            return spec.Required ? new LabelFault(ReasonCodes.LabelMissing, $"label {name} is missing; allowed: {allowed}") : null;
        }

        return spec.Values is null || spec.Values.Contains(value, StringComparer.Ordinal)
            ? null
            : new LabelFault(ReasonCodes.LabelInvalid, $"label {name} is '{value}'; allowed: {allowed}");
    }
}
