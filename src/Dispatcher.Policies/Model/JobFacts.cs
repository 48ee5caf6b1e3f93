namespace Dispatcher.Policies.Model;

/// <summary>The facts of a job that a policy may use.</summary>
public sealed record JobFacts
{
    /// <summary>The principal that submitted the job, as the broker or the API key identifies it.</summary>
    public required string Principal { get; init; }

    /// <summary>The job's topic, for example <c>job.exec.shell</c>.</summary>
    public required string Topic { get; init; }

    /// <summary>
    /// The producer's labels. Names and values are compared ordinal and case-sensitive, regardless of the dictionary's comparer. A null
    /// value counts as absent.
    /// </summary>
    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    /// <summary>The risk tags that the producer states. The registry adds those of the topic.</summary>
    public required IReadOnlyList<string> RiskTags { get; init; }

    /// <summary>The payload's bytes, JSON. Read only for the topic's schema and for derived labels.</summary>
    public required ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>The workflow of which the job is a step. Null: none; a rule that tests it is then unknown.</summary>
    public string? WorkflowId { get; init; }

    /// <summary>The number of the next attempt, from 1. An earlier attempt counts if a worker claimed and began it.</summary>
    public int Attempt { get; init; } = 1;
}
