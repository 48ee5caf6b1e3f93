using Dispatcher.Contracts;
using Dispatcher.Jobs;

namespace Dispatcher.Audit.Verification;

/// <summary>Compares the approvals of one job with its timeline: terms, votes, state and time. Pure.</summary>
internal static class ApprovalRowCheck
{
    public static IEnumerable<IncompleteJob> Of(AuditedJob stored, List<JobLine> lines)
    {
        var known = stored.Approvals.Select(approval => approval.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var held in lines.Where(line => line.Kind == TimelineKinds.Held && !known.Contains(line.Detail.ApprovalId ?? "")))
        {
            const string Missing = "the job was held, and its row in approvals is not there";
            yield return held.Gap(Gap.RowMissing, Missing, expected: held.Detail.ApprovalId);
        }

        var named = lines.ToLookup(line => line.Detail.ApprovalId, StringComparer.Ordinal);
        foreach (var gap in stored.Approvals.SelectMany(approval => Of(stored, approval, [.. named[approval.Name]])))
        {
            yield return gap;
        }
    }

    /// <param name="stored">The job.</param>
    /// <param name="approval">One of its rounds.</param>
    /// <param name="lines">The entries that name it.</param>
    private static IEnumerable<IncompleteJob> Of(AuditedJob stored, Approval approval, List<JobLine> lines)
    {
        if (lines.FirstOrDefault(line => line.Kind == TimelineKinds.Held) is not { } held)
        {
            var unknown = $"approval {approval.Name} has a row, and no entry held the job for it";
            yield return new IncompleteJob(Gap.RowWithoutEntry, approval.JobId, null, stored.Job.Attempt, unknown);
            yield break;
        }

        foreach (var (column, seen, expected) in Terms(approval, held.Detail).Where(term => term.Seen != term.Expected))
        {
            var differs = $"approvals.{column} of {approval.Name} is not what the entry says that held the job";
            yield return held.Gap(Gap.RowDiffers, differs, seen, expected);
        }

        var cast = lines.Where(line => line.Kind is TimelineKinds.Voted or TimelineKinds.Approved or TimelineKinds.Rejected).ToList();
        var votes = string.Join(", ", approval.Votes.Select(vote => $"{vote.Person} {vote.Verdict} {vote.JobHash}"));
        var told = string.Join(", ", cast.Select(line => $"{line.Detail.Person} {line.Detail.Verdict} {line.Detail.JobHash}"));
        if (votes != told)
        {
            var differs = $"approvals.votes of {approval.Name} are not those of the timeline";
            yield return (cast.LastOrDefault() ?? held).Gap(Gap.RowDiffers, differs, votes, told);
        }

        var given = lines.LastOrDefault(line => line.Kind == TimelineKinds.Approved);
        if (given is not null && approval.UseBy != given.Detail.UseBy)
        {
            var differs = $"approvals.use_by of {approval.Name} is not what the entry says that approved it";
            yield return given.Gap(Gap.RowDiffers, differs, $"{approval.UseBy}", $"{given.Detail.UseBy}");
        }

        var allowed = States(stored, approval, lines, given?.Detail);
        if (!allowed.Contains(approval.State))
        {
            var differs = $"approvals.state of {approval.Name} is not what the timeline says";
            yield return lines[^1].Gap(Gap.RowDiffers, differs, approval.State, string.Join(" or ", allowed));
        }
    }

    private static (string Column, string? Seen, string? Expected)[] Terms(Approval approval, EntryDetail held) =>
        [
            ("job_hash", approval.JobHash, held.JobHash),
            ("policy_hash", approval.PolicyHash, held.PolicyHash),
            ("basis_hash", approval.BasisHash, held.BasisHash),
        ];

    /// <summary>
    /// What the state may be. While the job waits in this round there is one answer; later it is whatever ended the round.
    /// </summary>
    private static string[] States(AuditedJob stored, Approval approval, List<JobLine> lines, EntryDetail? given)
    {
        var isCurrent = stored.Job.ApprovalRound == approval.Round;
        var used = lines.Sum(line =>
            line.Kind switch
            {
                TimelineKinds.Dispatched => 1,
                TimelineKinds.Unclaimed => -1,
                _ => 0,
            }
        );
        return lines.Any(line => line.Kind == TimelineKinds.Rejected) ? [ApprovalStates.Rejected]
            : isCurrent && stored.Job.State == JobState.Held ? [ApprovalStates.Held]
            : isCurrent && stored.Job.State == JobState.Approved ? [ApprovalStates.Approved]
            : given is not null && used > 0 && !given.CoversRetries ? [ApprovalStates.Consumed]
            : given is not null && used > 0 ? [ApprovalStates.Consumed, ApprovalStates.Expired, ApprovalStates.Invalidated]
            : [ApprovalStates.Expired, ApprovalStates.Invalidated];
    }
}
