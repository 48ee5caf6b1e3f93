using Dispatcher.Contracts;
using Dispatcher.Jobs;

namespace Dispatcher.Audit.Verification;

/// <summary>Compares the approvals of one job with its timeline: terms, votes, state and time. Pure.</summary>
internal static class ApprovalRowCheck
{
    public static IEnumerable<IncompleteJob> Of(AuditedJob stored, List<AuditedEntry> entries)
    {
        var known = stored.Approvals.Select(approval => approval.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var held in entries.Where(entry => entry.Kind == TimelineKinds.Held && !known.Contains(entry.Detail.ApprovalId ?? "")))
        {
            const string Missing = "the job was held, but its row in approvals is missing";
            yield return held.Gap(Gap.RowMissing, Missing, expected: held.Detail.ApprovalId);
        }

        var named = entries.ToLookup(entry => entry.Detail.ApprovalId, StringComparer.Ordinal);
        foreach (var gap in stored.Approvals.SelectMany(approval => Of(stored, approval, [.. named[approval.Name]])))
        {
            yield return gap;
        }
    }

    /// <param name="stored">The job.</param>
    /// <param name="approval">One of its rounds.</param>
    /// <param name="entries">The entries that name the round.</param>
    private static IEnumerable<IncompleteJob> Of(AuditedJob stored, Approval approval, List<AuditedEntry> entries)
    {
        if (entries.FirstOrDefault(entry => entry.Kind == TimelineKinds.Held) is not { } held)
        {
            var unknown = $"approval {approval.Name} has a row, but no timeline entry of kind held names it";
            yield return new IncompleteJob(Gap.RowWithoutEntry, approval.JobId, null, stored.Job.Attempt, unknown);
            yield break;
        }

        foreach (var (column, seen, expected) in Terms(approval, held.Detail).Where(term => term.Seen != term.Expected))
        {
            var differs = $"approvals.{column} of {approval.Name} differs from the entry that held the job";
            yield return held.Gap(Gap.RowDiffers, differs, seen, expected);
        }

        var cast = entries.Where(entry => entry.Kind is TimelineKinds.Voted or TimelineKinds.Approved or TimelineKinds.Rejected).ToList();
        var votes = string.Join(", ", approval.Votes.Select(vote => $"{vote.Person} {vote.Verdict} {vote.JobHash}"));
        var recorded = string.Join(", ", cast.Select(entry => $"{entry.Detail.Person} {entry.Detail.Verdict} {entry.Detail.JobHash}"));
        if (votes != recorded)
        {
            var differs = $"approvals.votes of {approval.Name} differ from the votes on the timeline";
            yield return (cast.LastOrDefault() ?? held).Gap(Gap.RowDiffers, differs, votes, recorded);
        }

        var approved = entries.LastOrDefault(entry => entry.Kind == TimelineKinds.Approved);
        if (approved is not null && approval.UseBy != approved.Detail.UseBy)
        {
            var differs = $"approvals.use_by of {approval.Name} differs from the entry that approved it";
            yield return approved.Gap(Gap.RowDiffers, differs, $"{approval.UseBy}", $"{approved.Detail.UseBy}");
        }

        var allowed = States(stored, approval, entries, approved?.Detail);
        if (!allowed.Contains(approval.State))
        {
            var differs = $"approvals.state of {approval.Name} differs from the timeline";
            yield return entries[^1].Gap(Gap.RowDiffers, differs, approval.State, string.Join(" or ", allowed));
        }
    }

    private static (string Column, string? Seen, string? Expected)[] Terms(Approval approval, EntryDetail held) =>
        [
            ("job_hash", approval.JobHash, held.JobHash),
            ("policy_hash", approval.PolicyHash, held.PolicyHash),
            ("basis_hash", approval.BasisHash, held.BasisHash),
        ];

    /// <summary>
    /// The allowed states. While the job waits in this round there is one; afterwards the state depends on how the round ended.
    /// </summary>
    private static string[] States(AuditedJob stored, Approval approval, List<AuditedEntry> entries, EntryDetail? approved)
    {
        var isCurrent = stored.Job.ApprovalRound == approval.Round;
        var used = entries.Sum(entry =>
            entry.Kind switch
            {
                TimelineKinds.Dispatched => 1,
                TimelineKinds.Unclaimed => -1,
                _ => 0,
            }
        );
        return entries.Any(entry => entry.Kind == TimelineKinds.Rejected) ? [ApprovalStates.Rejected]
            : isCurrent && stored.Job.State == JobState.Held ? [ApprovalStates.Held]
            : isCurrent && stored.Job.State == JobState.Approved ? [ApprovalStates.Approved]
            : approved is not null && used > 0 && !approved.CoversRetries ? [ApprovalStates.Consumed]
            : approved is not null && used > 0 ? [ApprovalStates.Consumed, ApprovalStates.Expired, ApprovalStates.Invalidated]
            : [ApprovalStates.Expired, ApprovalStates.Invalidated];
    }
}
