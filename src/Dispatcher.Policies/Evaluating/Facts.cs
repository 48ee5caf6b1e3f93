namespace Dispatcher.Policies.Evaluating;

/// <summary>What is tested: the job's facts after the registry has had its say on labels and tags.</summary>
internal sealed class Facts(JobFacts job, JobClass jobClass, Dictionary<string, string> labels)
{
    public string Topic => job.Topic;

    public string Principal => job.Principal;

    public string? WorkflowId => job.WorkflowId;

    public int Attempt => job.Attempt;

    public string? Label(string name) => labels.GetValueOrDefault(name);

    /// <summary>What a test of an absent label gives.</summary>
    public Truth AbsentLabel(string name) =>
        jobClass.Labels.TryGetValue(name, out LabelSpec? spec) && spec.AbsentIsNoMatch ? Truth.False : Truth.Unknown;

    public Truth Tag(string tag)
    {
        if (jobClass.Tags.Contains(tag, StringComparer.Ordinal) || job.RiskTags.Contains(tag, StringComparer.Ordinal))
        {
            return Truth.True;
        }

        return jobClass.OptionalTags.Contains(tag, StringComparer.Ordinal) ? Truth.False : Truth.Unknown;
    }
}
