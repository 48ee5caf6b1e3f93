using System.Text.Json.Serialization;
using Dispatcher.Timelines;

namespace Dispatcher.Auditing;

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

    /// <summary>An attempt after which another one, or the job's end, came without a line of its end.</summary>
    [JsonStringEnumMemberName("attempt_without_end")]
    AttemptWithoutEnd,

    /// <summary>A job that is at or after dispatch without a line of the dispatch.</summary>
    [JsonStringEnumMemberName("state_without_dispatch")]
    StateWithoutDispatch,
}

/// <summary>One thing that is lacking.</summary>
internal sealed record IncompleteJob(Gap Kind, Guid JobId, long? Seq, int Attempt, string Message);

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

    public IReadOnlyList<IncompleteJob> List => _list;

    public long Incomplete { get; private set; }

    public long Dispatches { get; private set; }

    public long HighRisk { get; private set; }

    /// <summary>Jobs that have not ended.</summary>
    public int Open => _open.Count;

    public void Add(long seq, bool isFirstOfJob, TimelineEntry entry)
    {
        // Lines of the system's own have no job.
        if (entry.JobId == Guid.Empty)
        {
            return;
        }

        var detail = LineDetail.Of(entry);
        var story = _open.GetValueOrDefault(entry.JobId) ?? new Story { HasIntake = !isFirstOfJob || (TimelineKinds.Intake.Contains(entry.Kind) && detail.HasAnswer) };
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

    private void Follow(Story story, long seq, TimelineEntry entry, LineDetail detail)
    {
        switch (entry.Kind)
        {
            case TimelineKinds.Approved:
                story.Approvals.Approved(detail);
                break;
            case TimelineKinds.Dispatched:
                CheckDispatch(story, seq, entry, detail);
                story.OpenAttempt = entry.Attempt;
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

    private void CheckDispatch(Story story, long seq, TimelineEntry entry, LineDetail detail)
    {
        Dispatches++;
        CheckEnd(story, seq, entry);
        if (!story.HasIntake)
        {
            Report(Gap.DispatchWithoutIntake, seq, entry, $"attempt {entry.Attempt} was dispatched, and no line of intake has a decision");
        }

        if (!detail.HasDecision)
        {
            Report(Gap.DispatchWithoutDecision, seq, entry, $"attempt {entry.Attempt} was dispatched, and the line has no verdict or no policy hash");
        }

        if (!detail.IsHighRisk)
        {
            return;
        }

        HighRisk++;
        if (story.Approvals.Dispatched(detail.ApprovalId) is { } why)
        {
            Report(Gap.HighRiskUnapproved, seq, entry, $"attempt {entry.Attempt} needed an approval and was dispatched without: {why}");
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
    private static bool HasEnded(string kind, LineDetail detail) =>
        kind is TimelineKinds.Denied or TimelineKinds.Expired or TimelineKinds.Cancelled or TimelineKinds.Rejected || (TimelineKinds.Ends.Contains(kind) && detail.IsEnd);

    private void Report(Gap kind, long seq, TimelineEntry entry, string message) => Add(new IncompleteJob(kind, entry.JobId, seq, entry.Attempt, message));

    private sealed class Story
    {
        private ApprovalTrail? _approvals;

        public bool HasIntake { get; init; }

        /// <summary>0: none is under way.</summary>
        public int OpenAttempt { get; set; }

        public ApprovalTrail Approvals => _approvals ??= new ApprovalTrail();
    }
}
