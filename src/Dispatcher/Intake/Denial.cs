namespace Dispatcher.Intake;

/// <summary>A submission that the policy denied at intake: no job came of it, but its identity is known, and its timeline tells why.</summary>
internal sealed record Denial
{
    public required Guid JobId { get; init; }
    public required string Principal { get; init; }
    public required string Topic { get; init; }
    public string? IdempotencyKey { get; init; }
    public required string JobHash { get; init; }
    public required string PolicyHash { get; init; }
    public long At { get; init; }
}
