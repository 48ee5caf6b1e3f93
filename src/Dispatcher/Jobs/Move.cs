using Dispatcher.Contracts;

namespace Dispatcher.Jobs;

/// <summary>
/// One state change of one job, with everything that the same transaction writes: the new row, the state of its approval, a timeline entry,
/// messages for the outbox, and a dead letter. Every hop after intake has the same form: load the job, decide, commit a move.
/// </summary>
/// <remarks>
/// <para>
/// A move is a value: it changes nothing until <c>MoveWriter</c> or the store commits it. The commit is conditional. It applies the move if
/// the row still has the version of <see cref="Before"/>, if the bundle in <see cref="UnderPolicy"/> is still in force, if the approval can
/// take its step, if no freeze stops a dispatch, and if the timeline confirms a dispatch or a claim. Otherwise it writes nothing, and
/// <see cref="MoveResult"/> states why.
/// </para>
/// <para>
/// Two processes may decide on the same job at the same time: one move commits, the other gets <see cref="MoveResult.Stale"/>. So a
/// decision needs no lock on the row.
/// </para>
/// </remarks>
internal sealed record Move
{
    /// <summary>Increases the version, clears the due time of a final state, and derives the step of the approval.</summary>
    /// <param name="before">The job as it was read.</param>
    /// <param name="after">The job after the move.</param>
    /// <exception cref="InvalidOperationException"><see cref="Transitions"/> does not allow the change of state.</exception>
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

    /// <summary>Whether the move counts a failed attempt.</summary>
    public bool IsFailedAttempt => After.FailedAttempts > Before.FailedAttempts;

    /// <summary>The timeline entry. Null: none, for example when a lost message is sent again.</summary>
    public TimelineEntry? Entry { get; init; }

    public IReadOnlyList<OutboxMessage> Outbox { get; init; } = [];

    public DeadLetter? DeadLetter { get; init; }

    /// <summary>The step of the job's approval. If the approval cannot take it, the move is not applied. Null: no step.</summary>
    public ApprovalStep? Approval { get; }

    /// <summary>The round of approval that starts with this move. Null: none starts.</summary>
    public Approval? Opens { get; init; }

    /// <summary>The permit of the attempt. Null: the move dispatches none.</summary>
    public Guid? PermitId { get; init; }

    /// <summary>The permit by which a worker claims the attempt. Null: the move claims none.</summary>
    public ClaimedPermit? Claims { get; init; }

    /// <summary>Whether the move dispatches or claims an attempt. The timeline must confirm it then, see <c>TimelineEvidence</c>.</summary>
    public bool NeedsEvidence => Claims is not null || IsDispatch;

    /// <summary>Whether the move dispatches an attempt. No freeze may stop it then.</summary>
    public bool IsDispatch => Before.State != After.State && After.State == JobState.Dispatched;

    /// <summary>
    /// Hash of the bundle that must still be in force at the commit. Null: the move does not follow from a decision of the policy.
    /// </summary>
    public string? UnderPolicy =>
        Before.State != After.State && After.State is JobState.Dispatched or JobState.Held or JobState.Denied ? After.PolicyHash : null;
}

/// <summary>The values that the timeline entry of the dispatch must name for a claim to be valid.</summary>
/// <param name="PermitId">Id of the permit.</param>
/// <param name="WorkSha256">Hash of the work message that the permit is for.</param>
internal sealed record ClaimedPermit(Guid PermitId, string WorkSha256);

/// <summary>The result of committing a move.</summary>
internal enum MoveResult
{
    /// <summary>Committed.</summary>
    Moved,

    /// <summary>
    /// The row has another version, or its approval another state, or a freeze stops the dispatch. Load the job again, or leave it.
    /// </summary>
    Stale,

    /// <summary>Another bundle is in force. Evaluate the policy again.</summary>
    PolicyChanged,

    /// <summary>
    /// The timeline names another job hash, another permit, or no usable approval: the rows were changed outside the dispatcher, or a
    /// permit was signed that no dispatch issued. Only for a dispatch or a claim.
    /// </summary>
    Contradicted,
}
