using Dispatcher.Contracts;

namespace Dispatcher.Jobs;

/// <summary>
/// One change of one job: the row as it was read, the row as it shall be, and what must be written with it. Applied in one transaction when the row
/// still has the version that was read, else not at all. Every hop after intake is: load, decide, move.
/// </summary>
internal sealed record Move
{
    public Move(Job before, Job after)
    {
        if (!Transitions.Allows(before.State, after.State))
        {
            throw new InvalidOperationException(
                $"Job {before.JobId}: no transition leads from {before.State} to {after.State}; see Transitions."
            );
        }

        Before = before;
        Approval = ApprovalStep.Of(before, after);
        After = after with { Version = before.Version + 1, DueAt = after.State.IsFinal() ? null : after.DueAt };
    }

    public Job Before { get; }

    public Job After { get; }

    /// <summary>An attempt that was begun came to nothing with it.</summary>
    public bool IsFailedAttempt => After.FailedAttempts > Before.FailedAttempts;

    /// <summary>What the timeline says of it. Null: nothing, for example when a lost message is sent again.</summary>
    public TimelineEntry? Entry { get; init; }

    public IReadOnlyList<OutboxMessage> Outbox { get; init; } = [];

    public DeadLetter? DeadLetter { get; init; }

    /// <summary>What the job's approval does with it. When it cannot, the job does not move.</summary>
    public ApprovalStep? Approval { get; }

    /// <summary>The round of approval that begins with this move.</summary>
    public Approval? Opens { get; init; }

    /// <summary>The permit of the attempt, when the move dispatches one.</summary>
    public Guid? PermitId { get; init; }

    /// <summary>The permit by which a worker claims the attempt. Null: the move claims none.</summary>
    public ClaimedPermit? Claims { get; init; }

    /// <summary>Whether it begins an attempt or claims one: what it rests on must be on the timeline.</summary>
    public bool NeedsEvidence => Claims is not null || (Before.State != After.State && After.State == JobState.Dispatched);

    /// <summary>
    /// Hash of the bundle that must still be in force when this commits: of every move that a decision leads to, whoever makes it. Null: the move needs no verdict.
    /// </summary>
    public string? UnderPolicy =>
        Before.State != After.State && After.State is JobState.Dispatched or JobState.Held or JobState.Denied ? After.PolicyHash : null;
}

/// <summary>What the entry of the dispatch must name, so that the claim counts.</summary>
/// <param name="PermitId">Id of the permit.</param>
/// <param name="WorkSha256">Hash of the work message that the permit is for.</param>
internal sealed record ClaimedPermit(Guid PermitId, string WorkSha256);

/// <summary>What became of a move.</summary>
internal enum MoveResult
{
    /// <summary>Committed.</summary>
    Moved,

    /// <summary>The row had moved on. Load it again, or leave it.</summary>
    Stale,

    /// <summary>Another bundle is in force. Ask the policy again.</summary>
    PolicyChanged,

    /// <summary>
    /// The timeline names another job hash, another permit, or no approval that can be used: somebody changed the rows, or signed a permit
    /// that no dispatch gave. Only of a dispatch or a claim.
    /// </summary>
    Contradicted,
}
