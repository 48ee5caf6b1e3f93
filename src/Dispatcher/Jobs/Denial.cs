namespace Dispatcher.Jobs;

/// <summary>
/// A submission that the policy denied at intake. It has no job. The row keeps its identity, so that a second submission gets the same
/// answer, and its facts, so that another bundle can evaluate it.
/// </summary>
internal sealed record Denial
{
    /// <summary>A larger payload is not kept.</summary>
    public const int MaxPayloadBytes = 65_536;

    public required Guid JobId { get; init; }
    public required string Principal { get; init; }
    public required string Topic { get; init; }
    public string? IdempotencyKey { get; init; }
    public required string JobHash { get; init; }
    public required string PolicyHash { get; init; }
    public required IReadOnlyDictionary<string, string> Labels { get; init; }
    public required IReadOnlyList<string> RiskTags { get; init; }

    /// <summary>
    /// The submitted bytes. Null: more than <see cref="MaxPayloadBytes"/>, or stored by a version that kept none; another bundle cannot
    /// evaluate it.
    /// </summary>
    public byte[]? Payload { get; init; }

    public string? WorkflowId { get; init; }
    public long At { get; init; }
}
