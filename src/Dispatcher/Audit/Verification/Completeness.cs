using System.Text.Json.Serialization;
using Dispatcher.Jobs;

namespace Dispatcher.Audit.Verification;

/// <summary>What a history lacks although every entry is as it was sealed.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Gap>))]
internal enum Gap
{
    /// <summary>A dispatch of a job without a line of intake that has a decision.</summary>
    [JsonStringEnumMemberName("dispatch_without_intake")]
    DispatchWithoutIntake,

    /// <summary>A dispatch whose line has no verdict or no policy hash.</summary>
    [JsonStringEnumMemberName("dispatch_without_decision")]
    DispatchWithoutDecision,

    /// <summary>A high-risk dispatch without an approval of its own.</summary>
    [JsonStringEnumMemberName("high_risk_unapproved")]
    HighRiskUnapproved,

    /// <summary>A claim by another permit than the dispatch gave.</summary>
    [JsonStringEnumMemberName("claim_by_another_permit")]
    ClaimByAnotherPermit,

    /// <summary>An attempt after which another one, or the job's end, came without a line of its end.</summary>
    [JsonStringEnumMemberName("attempt_without_end")]
    AttemptWithoutEnd,

    /// <summary>A job that is at or after dispatch without a line of the dispatch.</summary>
    [JsonStringEnumMemberName("state_without_dispatch")]
    StateWithoutDispatch,

    /// <summary>Two lines of one job, or a line and its row, name two job hashes.</summary>
    [JsonStringEnumMemberName("job_hash_differs")]
    JobHashDiffers,

    /// <summary>A job was accepted, held or dispatched under a bundle that was not in force then.</summary>
    [JsonStringEnumMemberName("policy_not_in_force")]
    PolicyNotInForce,

    /// <summary>Two lines that follow each other tell states between which no transition leads.</summary>
    [JsonStringEnumMemberName("impossible_transition")]
    ImpossibleTransition,

    /// <summary>A row is not what the timeline says of it.</summary>
    [JsonStringEnumMemberName("row_differs")]
    RowDiffers,

    /// <summary>The timeline tells of a row that is not there.</summary>
    [JsonStringEnumMemberName("row_missing")]
    RowMissing,

    /// <summary>A row of which the timeline tells nothing.</summary>
    [JsonStringEnumMemberName("row_without_entry")]
    RowWithoutEntry,
}

/// <summary>One thing that is lacking or wrong. The job id of what is of no job is all zero.</summary>
internal sealed record IncompleteJob(Gap Kind, Guid JobId, long? Seq, int Attempt, string Message)
{
    /// <summary>The value that was found. Null: none, or the message says it.</summary>
    public string? Seen { get; init; }

    /// <summary>What the timeline says should be there.</summary>
    public string? Expected { get; init; }
}

/// <summary>
/// Follows each job along the sealed history: every dispatch has both decisions, every high-risk dispatch its approval, every attempt its end. Keeps something
/// only of jobs that have not ended: a job's line that is not its first (its seal says so) and of which nothing is kept goes on after an end.
/// </summary>
internal sealed class Completeness
{
    /// <summary>So many are listed; all are counted.</summary>
    public const int LargestList = 100;

    private readonly Dictionary<Guid, Story> _open = [];
    private readonly List<IncompleteJob> _list = [];

    /// <summary>
    /// The bundle of the last activation. There is no race to tolerate: an activation holds the policy lock alone until it is committed,
    /// and whoever decides holds it shared,
    /// so that ids and commits of both have the same order.
    /// </summary>
    private string _inForce = "";

    public IReadOnlyList<IncompleteJob> List => _list;

    public long Incomplete { get; private set; }

    public long Dispatches { get; private set; }

    public long HighRisk { get; private set; }

    /// <summary>Jobs that have not ended.</summary>
    public int Open => _open.Count;

    public void Add(long seq, bool isFirstOfJob, TimelineEntry entry)
    {
        var detail = EntryDetail.Of(entry);

        // Lines of the system's own have no job.
        if (entry.JobId == Guid.Empty)
        {
            _inForce = entry.Kind == TimelineKinds.BundleActivated ? detail.PolicyHash ?? "" : _inForce;
            return;
        }

        var story =
            _open.GetValueOrDefault(entry.JobId)
            ?? new Story { HasIntake = !isFirstOfJob || (TimelineKinds.Intake.Contains(entry.Kind) && detail.HasAnswer) };
        CheckHashes(story, seq, entry, detail);
        Follow(story, seq, entry, detail);
        if (HasEnded(entry.Kind, detail))
        {
            CheckEnd(story, seq, entry);
            _open.Remove(entry.JobId);
        }
        else if (isFirstOfJob || TimelineKinds.Moves.Contains(entry.Kind))
        {
            _open[entry.JobId] = story;
        }
    }

    public void Add(IncompleteJob gap)
    {
        Incomplete++;
        if (_list.Count < LargestList)
        {
            _list.Add(gap);
        }
    }

    private void CheckHashes(Story story, long seq, TimelineEntry entry, EntryDetail detail)
    {
        if (TimelineKinds.NamesJob.Contains(entry.Kind) && !detail.IsForNow && detail.JobHash is { } hash)
        {
            story.JobHash ??= hash;
            if (hash != story.JobHash)
            {
                var why = $"\"{entry.Kind}\" names another job hash than the lines before it";
                Add(new IncompleteJob(Gap.JobHashDiffers, entry.JobId, seq, entry.Attempt, why) { Seen = hash, Expected = story.JobHash });
            }
        }

        var letsIn = entry.Kind is TimelineKinds.Accepted or TimelineKinds.Held or TimelineKinds.Dispatched;
        if (letsIn && detail.PolicyHash is { } policy && policy != _inForce)
        {
            var why = $"\"{entry.Kind}\" was decided by a bundle that was not in force";
            Add(new IncompleteJob(Gap.PolicyNotInForce, entry.JobId, seq, entry.Attempt, why) { Seen = policy, Expected = _inForce });
        }
    }

    private void Follow(Story story, long seq, TimelineEntry entry, EntryDetail detail)
    {
        switch (entry.Kind)
        {
            case TimelineKinds.Accepted or TimelineKinds.Held:
                story.Approvals.Submitted(detail);
                break;
            case TimelineKinds.Approved:
                story.Approvals.Approved(detail);
                break;
            case TimelineKinds.Dispatched:
                CheckDispatch(story, seq, entry, detail);
                story.OpenAttempt = entry.Attempt;
                story.Permit = detail.PermitId;
                break;
            case TimelineKinds.Claimed:
                CheckClaim(story, seq, entry, detail);
                break;
            case var kind when TimelineKinds.Ends.Contains(kind):
                story.OpenAttempt = 0;
                if (kind == TimelineKinds.Unclaimed)
                {
                    story.Approvals.Unclaimed(detail.ApprovalId);
                }

                break;
        }
    }

    private void CheckDispatch(Story story, long seq, TimelineEntry entry, EntryDetail detail)
    {
        Dispatches++;
        CheckEnd(story, seq, entry);
        if (!story.HasIntake)
        {
            Report(Gap.DispatchWithoutIntake, seq, entry, $"attempt {entry.Attempt} was dispatched, and no line of intake has a decision");
        }

        if (!detail.HasDecision)
        {
            Report(
                Gap.DispatchWithoutDecision,
                seq,
                entry,
                $"attempt {entry.Attempt} was dispatched, and the line has no verdict or no policy hash"
            );
        }

        if (!detail.IsHighRisk)
        {
            return;
        }

        HighRisk++;
        if (story.Approvals.Dispatched(detail) is { } why)
        {
            Report(Gap.HighRiskUnapproved, seq, entry, $"attempt {entry.Attempt} needed an approval and was dispatched without: {why}");
        }
    }

    private void CheckClaim(Story story, long seq, TimelineEntry entry, EntryDetail detail)
    {
        if (detail.PermitId != story.Permit)
        {
            var why = $"attempt {entry.Attempt} was claimed by another permit than its dispatch gave";
            Add(
                new IncompleteJob(Gap.ClaimByAnotherPermit, entry.JobId, seq, entry.Attempt, why)
                {
                    Seen = detail.PermitId,
                    Expected = story.Permit,
                }
            );
        }
    }

    private void CheckEnd(Story story, long seq, TimelineEntry entry)
    {
        if (story.OpenAttempt > 0)
        {
            Report(Gap.AttemptWithoutEnd, seq, entry, $"attempt {story.OpenAttempt} has no end, and \"{entry.Kind}\" came after it");
        }
    }

    /// <summary>A line that came too late tells a state and ends nothing.</summary>
    private static bool HasEnded(string kind, EntryDetail detail) =>
        kind is TimelineKinds.Denied or TimelineKinds.Expired or TimelineKinds.Cancelled or TimelineKinds.Rejected
        || (TimelineKinds.Ends.Contains(kind) && detail.IsEnd);

    private void Report(Gap kind, long seq, TimelineEntry entry, string message) =>
        Add(new IncompleteJob(kind, entry.JobId, seq, entry.Attempt, message));

    private sealed class Story
    {
        private ApprovalTrail? _approvals;

        public bool HasIntake { get; init; }

        /// <summary>As the first line that names one says.</summary>
        public string? JobHash { get; set; }

        /// <summary>The permit of the last dispatch.</summary>
        public string? Permit { get; set; }

        /// <summary>0: none is under way.</summary>
        public int OpenAttempt { get; set; }

        public ApprovalTrail Approvals => _approvals ??= new ApprovalTrail();
    }
}
