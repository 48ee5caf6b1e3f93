using Dispatcher.Jobs;

namespace Dispatcher.Audit.Verification;

/// <summary>All rows of one job, with its timeline.</summary>
/// <param name="Job">The row of <c>jobs</c>.</param>
/// <param name="Approvals">Its rounds of approval.</param>
/// <param name="Letters">Its dead letters.</param>
/// <param name="Entries">Its timeline, in order, sealed or not.</param>
internal sealed record AuditedJob(
    Job Job,
    IReadOnlyList<Approval> Approvals,
    IReadOnlyList<DeadLetter> Letters,
    IReadOnlyList<AuditedEntry> Entries
);

/// <summary>A timeline entry of a job, with its number in the sealed history. If the number is null, the entry is not sealed yet.</summary>
internal sealed record AuditedEntry(long? Seq, TimelineEntry Stored)
{
    public string Kind => Stored.Kind;

    public EntryDetail Detail { get; } = EntryDetail.Of(Stored);

    /// <summary>The state in which the entry leaves the job. Null: the entry records no move.</summary>
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
        new(kind, Stored.JobId, Seq, Stored.Attempt, message) { Seen = seen, Expected = expected };
}
