using System.Text.Json.Serialization;
using Dispatcher.Jobs;

namespace Dispatcher.Audit.Verification;

/// <summary>The gaps that a history can have even if every entry is as it was sealed.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Gap>))]
internal enum Gap
{
    /// <summary>A dispatch of a job without an intake entry that has a decision.</summary>
    [JsonStringEnumMemberName("dispatch_without_intake")]
    DispatchWithoutIntake,

    /// <summary>A dispatch whose entry has no verdict or no policy hash.</summary>
    [JsonStringEnumMemberName("dispatch_without_decision")]
    DispatchWithoutDecision,

    /// <summary>A high-risk dispatch without an approval of its own.</summary>
    [JsonStringEnumMemberName("high_risk_unapproved")]
    HighRiskUnapproved,

    /// <summary>A claim with another permit than the one of the dispatch.</summary>
    [JsonStringEnumMemberName("claim_by_another_permit")]
    ClaimByAnotherPermit,

    /// <summary>An attempt without an entry of its end, although another attempt or the end of the job followed.</summary>
    [JsonStringEnumMemberName("attempt_without_end")]
    AttemptWithoutEnd,

    /// <summary>A job that is at or after dispatch without an entry of the dispatch.</summary>
    [JsonStringEnumMemberName("state_without_dispatch")]
    StateWithoutDispatch,

    /// <summary>Two entries of one job, or an entry and the row, name different job hashes.</summary>
    [JsonStringEnumMemberName("job_hash_differs")]
    JobHashDiffers,

    /// <summary>A job was accepted, held or dispatched under a bundle that was not in force at that time.</summary>
    [JsonStringEnumMemberName("policy_not_in_force")]
    PolicyNotInForce,

    /// <summary>Two successive entries record states between which no transition is allowed.</summary>
    [JsonStringEnumMemberName("impossible_transition")]
    ImpossibleTransition,

    /// <summary>A row differs from the timeline.</summary>
    [JsonStringEnumMemberName("row_differs")]
    RowDiffers,

    /// <summary>The timeline records a row that is missing.</summary>
    [JsonStringEnumMemberName("row_missing")]
    RowMissing,

    /// <summary>A row that the timeline does not record.</summary>
    [JsonStringEnumMemberName("row_without_entry")]
    RowWithoutEntry,
}

/// <summary>One gap of the history. The job id is all zero if the gap concerns no job.</summary>
internal sealed record IncompleteJob(Gap Kind, Guid JobId, long? Seq, int Attempt, string Message)
{
    /// <summary>The value that was found. Null: none, or the message states it.</summary>
    public string? Seen { get; init; }

    /// <summary>The value that the timeline records.</summary>
    public string? Expected { get; init; }
}

/// <summary>
/// Follows each job along the sealed history. Every dispatch needs the decisions of intake and of dispatch, every high-risk dispatch its
/// approval, and every attempt its end. Only jobs that have not ended are kept in memory: an entry of a job that is not kept, and whose
/// seal names an earlier entry of that job, comes after the end.
/// </summary>
internal sealed class CompletenessCheck
{
    /// <summary>Maximum number of listed gaps. All are counted.</summary>
    public const int MaxListed = 100;

    private readonly Dictionary<Guid, JobTrail> _open = [];
    private readonly List<IncompleteJob> _list = [];

    /// <summary>
    /// The bundle of the last activation. The comparison needs no tolerance: an activation holds the policy lock exclusively until it is
    /// committed, and intake and dispatch hold it shared, so the ids of their entries have the order of the commits.
    /// </summary>
    private string _inForce = "";

    public IReadOnlyList<IncompleteJob> List => _list;

    public long Incomplete { get; private set; }

    public long Dispatches { get; private set; }

    public long HighRisk { get; private set; }

    /// <summary>Number of jobs that have not ended.</summary>
    public int Open => _open.Count;

    public void Add(long seq, bool isFirstOfJob, TimelineEntry entry)
    {
        var detail = EntryDetail.Of(entry);

        // Entries of the system itself have no job.
        if (entry.JobId == Guid.Empty)
        {
            _inForce = entry.Kind == TimelineKinds.BundleActivated ? detail.PolicyHash ?? "" : _inForce;
            return;
        }

        var trail =
            _open.GetValueOrDefault(entry.JobId)
            ?? new JobTrail { HasIntake = !isFirstOfJob || (TimelineKinds.Intake.Contains(entry.Kind) && detail.HasAnswer) };
        CheckHashes(trail, seq, entry, detail);
        Follow(trail, seq, entry, detail);
        if (HasEnded(entry.Kind, detail))
        {
            CheckEnd(trail, seq, entry);
            _open.Remove(entry.JobId);
        }
        else if (isFirstOfJob || TimelineKinds.Moves.Contains(entry.Kind))
        {
            _open[entry.JobId] = trail;
        }
    }

    public void Add(IncompleteJob gap)
    {
        Incomplete++;
        if (_list.Count < MaxListed)
        {
            _list.Add(gap);
        }
    }

    private void CheckHashes(JobTrail trail, long seq, TimelineEntry entry, EntryDetail detail)
    {
        if (TimelineKinds.NamesJob.Contains(entry.Kind) && !detail.IsDeniedWithoutBundle && detail.JobHash is { } hash)
        {
            trail.JobHash ??= hash;
            if (hash != trail.JobHash)
            {
                var why = $"\"{entry.Kind}\" names another job hash than the entries before it";
                Add(new IncompleteJob(Gap.JobHashDiffers, entry.JobId, seq, entry.Attempt, why) { Seen = hash, Expected = trail.JobHash });
            }
        }

        var isAllowed = entry.Kind is TimelineKinds.Accepted or TimelineKinds.Held or TimelineKinds.Dispatched;
        if (isAllowed && detail.PolicyHash is { } policy && policy != _inForce)
        {
            var why = $"\"{entry.Kind}\" was evaluated by a bundle that was not in force";
            Add(new IncompleteJob(Gap.PolicyNotInForce, entry.JobId, seq, entry.Attempt, why) { Seen = policy, Expected = _inForce });
        }
    }

    private void Follow(JobTrail trail, long seq, TimelineEntry entry, EntryDetail detail)
    {
        switch (entry.Kind)
        {
            case TimelineKinds.Accepted or TimelineKinds.Held:
                trail.Approvals.Submitted(detail);
                break;
            case TimelineKinds.Approved:
                trail.Approvals.Approved(detail);
                break;
            case TimelineKinds.Dispatched:
                CheckDispatch(trail, seq, entry, detail);
                trail.OpenAttempt = entry.Attempt;
                trail.Permit = detail.PermitId;
                break;
            case TimelineKinds.Claimed:
                CheckClaim(trail, seq, entry, detail);
                break;
            case var kind when TimelineKinds.Ends.Contains(kind):
                trail.OpenAttempt = 0;
                if (kind == TimelineKinds.Unclaimed)
                {
                    trail.Approvals.Unclaimed(detail.ApprovalId);
                }

                break;
        }
    }

    private void CheckDispatch(JobTrail trail, long seq, TimelineEntry entry, EntryDetail detail)
    {
        Dispatches++;
        CheckEnd(trail, seq, entry);
        if (!trail.HasIntake)
        {
            Report(Gap.DispatchWithoutIntake, seq, entry, $"attempt {entry.Attempt} was dispatched, but no intake entry has a decision");
        }

        if (!detail.HasDecision)
        {
            Report(
                Gap.DispatchWithoutDecision,
                seq,
                entry,
                $"attempt {entry.Attempt} was dispatched, but the entry has no verdict or no policy hash"
            );
        }

        if (!detail.IsHighRisk)
        {
            return;
        }

        HighRisk++;
        if (trail.Approvals.Dispatched(detail) is { } why)
        {
            Report(
                Gap.HighRiskUnapproved,
                seq,
                entry,
                $"attempt {entry.Attempt} required an approval and was dispatched without one: {why}"
            );
        }
    }

    private void CheckClaim(JobTrail trail, long seq, TimelineEntry entry, EntryDetail detail)
    {
        if (detail.PermitId != trail.Permit)
        {
            var why = $"attempt {entry.Attempt} was claimed with another permit than that of its dispatch";
            Add(
                new IncompleteJob(Gap.ClaimByAnotherPermit, entry.JobId, seq, entry.Attempt, why)
                {
                    Seen = detail.PermitId,
                    Expected = trail.Permit,
                }
            );
        }
    }

    private void CheckEnd(JobTrail trail, long seq, TimelineEntry entry)
    {
        if (trail.OpenAttempt > 0)
        {
            Report(Gap.AttemptWithoutEnd, seq, entry, $"attempt {trail.OpenAttempt} has no end, but \"{entry.Kind}\" follows it");
        }
    }

    /// <summary>Whether the entry ends the job. A late outcome names a state too, but ends nothing.</summary>
    private static bool HasEnded(string kind, EntryDetail detail) =>
        kind is TimelineKinds.Denied or TimelineKinds.Expired or TimelineKinds.Cancelled or TimelineKinds.Rejected
        || (TimelineKinds.Ends.Contains(kind) && detail.IsEnd);

    private void Report(Gap kind, long seq, TimelineEntry entry, string message) =>
        Add(new IncompleteJob(kind, entry.JobId, seq, entry.Attempt, message));

    private sealed class JobTrail
    {
        private ApprovalTrail? _approvals;

        public bool HasIntake { get; init; }

        /// <summary>The job hash of the first entry that names one.</summary>
        public string? JobHash { get; set; }

        /// <summary>The permit of the last dispatch.</summary>
        public string? Permit { get; set; }

        /// <summary>The attempt that has not ended. 0: none.</summary>
        public int OpenAttempt { get; set; }

        public ApprovalTrail Approvals => _approvals ??= new ApprovalTrail();
    }
}
