using Dispatcher.Jobs;

namespace Dispatcher.Audit.Verification;

/// <summary>All rows of one job, with its timeline.</summary>
/// <param name="Job">The row of <c>jobs</c>.</param>
/// <param name="Approvals">Its rounds of approval.</param>
/// <param name="Letters">Its dead letters.</param>
/// <param name="Lines">Its timeline, in order, sealed or not.</param>
internal sealed record AuditedJob(
    Job Job,
    IReadOnlyList<Approval> Approvals,
    IReadOnlyList<DeadLetter> Letters,
    IReadOnlyList<JobLine> Lines
);

/// <summary>One entry with its number in the sealed history. Null: it is not sealed yet.</summary>
internal sealed record JobLine(long? Seq, TimelineEntry Entry)
{
    public string Kind => Entry.Kind;

    public EntryDetail Detail { get; } = EntryDetail.Of(Entry);

    /// <summary>The state that the entry leaves the job in. Null: it does not tell, or tells only what somebody saw.</summary>
    public string? State =>
        Kind switch
        {
            TimelineKinds.Accepted or TimelineKinds.Held or TimelineKinds.Denied or TimelineKinds.Dispatched => Kind,
            TimelineKinds.Claimed => "running",
            TimelineKinds.Voted
            or TimelineKinds.Approved
            or TimelineKinds.Rejected
            or TimelineKinds.Invalidated
            or TimelineKinds.Returned
            or TimelineKinds.Unclaimed
            or TimelineKinds.Fenced
            or TimelineKinds.Succeeded
            or TimelineKinds.Faulted
            or TimelineKinds.CancelRequested
            or TimelineKinds.Cancelled
            or TimelineKinds.Expired => Detail.State,
            _ => null,
        };

    public IncompleteJob Gap(Gap kind, string message, string? seen = null, string? expected = null) =>
        new(kind, Entry.JobId, Seq, Entry.Attempt, message) { Seen = seen, Expected = expected };
}
