namespace Dispatcher.Policies.Model;

/// <summary>What the policy may know of a job.</summary>
public sealed record JobFacts
{
    /// <summary>Who handed the job in, as the broker or the API key says.</summary>
    public required string Principal { get; init; }

    /// <summary>The job's topic, for example <c>job.exec.shell</c>.</summary>
    public required string Topic { get; init; }

    /// <summary>The producer's labels. Names and values are compared ordinal and case-sensitive, whatever comparer the dictionary has. A null value counts as absent.</summary>
    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    /// <summary>The risk tags that the producer names. The registry adds the topic's own.</summary>
    public required IReadOnlyList<string> RiskTags { get; init; }

    /// <summary>The payload's bytes, JSON. Only read for the topic's schema and for labels that are derived from it.</summary>
    public required ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>The workflow the job is a step of. Null: none, so that a rule which tests it is unknown.</summary>
    public string? WorkflowId { get; init; }

    /// <summary>The attempt to be made, from 1. Earlier ones count if a worker claimed them and began.</summary>
    public int Attempt { get; init; } = 1;
}
