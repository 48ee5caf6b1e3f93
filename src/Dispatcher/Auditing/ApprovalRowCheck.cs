using Dispatcher.Approvals;
using Dispatcher.Contracts;
using Dispatcher.Timelines;

namespace Dispatcher.Auditing;

/// <summary>Compares the approvals of one job with its timeline: terms, votes, state and time. Pure.</summary>
internal static class ApprovalRowCheck
{
    public static IEnumerable<IncompleteJob> Of(StoredJob stored, List<JobLine> lines)
    {
        foreach (var held in lines.Where(line => line.Kind == TimelineKinds.Held && stored.Approvals.All(approval => approval.Name != line.Detail.ApprovalId)))
        {
            yield return held.Gap(Gap.RowMissing, "the job was held, and its row in approvals is not there", expected: held.Detail.ApprovalId);
        }

        foreach (var gap in stored.Approvals.SelectMany(approval => Of(stored, approval, [.. lines.Where(line => line.Detail.ApprovalId == approval.Name)])))
        {
            yield return gap;
        }
    }

    /// <param name="stored">The job.</param>
    /// <param name="approval">One of its rounds.</param>
    /// <param name="lines">The entries that name it.</param>
    private static IEnumerable<IncompleteJob> Of(StoredJob stored, Approval approval, List<JobLine> lines)
    {
        if (lines.FirstOrDefault(line => line.Kind == TimelineKinds.Held) is not { } held)
        {
            yield return new IncompleteJob(Gap.RowWithoutEntry, approval.JobId, null, stored.Job.Attempt, $"approval {approval.Name} has a row, and no entry held the job for it");
            yield break;
        }

        foreach (var (column, seen, expected) in Terms(approval, held.Detail).Where(term => term.Seen != term.Expected))
        {
            yield return held.Gap(Gap.RowDiffers, $"approvals.{column} of {approval.Name} is not what the entry says that held the job", seen, expected);
        }

        var cast = lines.Where(line => line.Kind is TimelineKinds.Voted or TimelineKinds.Approved or TimelineKinds.Rejected).ToList();
        var votes = string.Join(", ", approval.Votes.Select(vote => $"{vote.Person} {vote.Verdict} {vote.JobHash}"));
        var told = string.Join(", ", cast.Select(line => $"{line.Detail.Person} {line.Detail.Verdict} {line.Detail.JobHash}"));
        if (votes != told)
        {
            yield return (cast.LastOrDefault() ?? held).Gap(Gap.RowDiffers, $"approvals.votes of {approval.Name} are not those of the timeline", votes, told);
        }

        var given = lines.LastOrDefault(line => line.Kind == TimelineKinds.Approved);
        if (given is not null && approval.UseBy != given.Detail.UseBy)
        {
            yield return given.Gap(Gap.RowDiffers, $"approvals.use_by of {approval.Name} is not what the entry says that approved it", $"{approval.UseBy}", $"{given.Detail.UseBy}");
        }

        var allowed = States(stored, approval, lines, given?.Detail);
        if (!allowed.Contains(approval.State))
        {
            yield return lines[^1].Gap(Gap.RowDiffers, $"approvals.state of {approval.Name} is not what the timeline says", approval.State, string.Join(" or ", allowed));
        }
    }

    private static (string Column, string? Seen, string? Expected)[] Terms(Approval approval, LineDetail held) =>
    [
        ("job_hash", approval.JobHash, held.JobHash),
        ("policy_hash", approval.PolicyHash, held.PolicyHash),
        ("basis_hash", approval.BasisHash, held.BasisHash),
    ];

    /// <summary>What the state may be. While the job waits in this round there is one answer; later it is whatever ended the round.</summary>
    private static string[] States(StoredJob stored, Approval approval, List<JobLine> lines, LineDetail? given)
    {
        var isCurrent = stored.Job.ApprovalRound == approval.Round;
        var used = lines.Sum(line => line.Kind switch { TimelineKinds.Dispatched => 1, TimelineKinds.Unclaimed => -1, _ => 0 });
        return lines.Any(line => line.Kind == TimelineKinds.Rejected) ? [ApprovalStates.Rejected]
            : isCurrent && stored.Job.State == JobState.Held ? [ApprovalStates.Held]
            : isCurrent && stored.Job.State == JobState.Approved ? [ApprovalStates.Approved]
            : given is not null && used > 0 && !given.CoversRetries ? [ApprovalStates.Consumed]
            : given is not null && used > 0 ? [ApprovalStates.Consumed, ApprovalStates.Expired, ApprovalStates.Invalidated]
            : [ApprovalStates.Expired, ApprovalStates.Invalidated];
    }
}
