namespace Dispatcher.Jobs;

/// <summary>A submission that the policy denied at intake: no job came of it, but its identity is known, its timeline tells why, and another bundle can be asked about it.</summary>
internal sealed record Denial
{
    /// <summary>The largest payload that is kept.</summary>
    public const int MostPayloadBytes = 65_536;

    public required Guid JobId { get; init; }
    public required string Principal { get; init; }
    public required string Topic { get; init; }
    public string? IdempotencyKey { get; init; }
    public required string JobHash { get; init; }
    public required string PolicyHash { get; init; }
    public required IReadOnlyDictionary<string, string> Labels { get; init; }
    public required IReadOnlyList<string> RiskTags { get; init; }

    /// <summary>The exact bytes that were handed in. Null: larger than <see cref="MostPayloadBytes"/>, or denied before they were kept; it cannot be decided again.</summary>
    public byte[]? Payload { get; init; }

    public string? WorkflowId { get; init; }
    public long At { get; init; }
}
