using Dispatcher.Jobs;

namespace Dispatcher.Approvals;

/// <summary>
/// A vote on its way to <see cref="ApprovalSaga"/>. It travels within the process only: no queue takes it, so that nobody who can publish messages can vote.
/// Who votes, and for which groups, is what the server's own key says.
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
    /// What was written with it, set by the saga: in this process the message is the same object on both sides. Whether it was committed tells only the row: of an attempt that
    /// was rolled back this is left over. Null: it did not count.
    /// </summary>
    public Move? Moved { get; set; }

    public Vote At(long now) => new(Person, Subject, Verdict, Reason, Groups, JobHash, PolicyHash, ViewHash, now);
}
