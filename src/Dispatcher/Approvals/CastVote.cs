using Dispatcher.Jobs;

namespace Dispatcher.Approvals;

/// <summary>
/// A vote on its way to <see cref="ApprovalSaga"/>. It stays within the process: no queue takes it, so a client of the broker cannot
/// vote. Person and groups come from the API key.
/// </summary>
internal sealed record CastVote
{
    public required Guid ApprovalId { get; init; }
    public required string Verdict { get; init; }
    public required string Reason { get; init; }
    public required string Person { get; init; }
    public required string Subject { get; init; }
    public required IReadOnlyList<string> Groups { get; init; }
    public required string JobHash { get; init; }
    public required string PolicyHash { get; init; }
    public string? ViewHash { get; init; }

    /// <summary>
    /// The move that the saga wrote with the vote. The mediator passes the same object to the saga, so the sender reads it here. Only
    /// the row of the approval shows whether the move was committed, because a rolled-back attempt leaves its move here. Null: the vote did
    /// not count.
    /// </summary>
    public Move? Moved { get; set; }

    public Vote At(long now) => new(Person, Subject, Verdict, Reason, Groups, JobHash, PolicyHash, ViewHash, now);
}
