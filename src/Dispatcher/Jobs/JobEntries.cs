using System.Text.Json.Nodes;
using Dispatcher.Base;
using Dispatcher.Contracts;

namespace Dispatcher.Jobs;

/// <summary>Timeline entries that several folders write.</summary>
internal static class JobEntries
{
    /// <summary>An entry for a move that the dispatcher makes without a request, and its reason.</summary>
    public static TimelineEntry Repaired(string kind, Job job, string reason) =>
        TimelineEntry.Of(
            kind,
            job,
            TimelineEntry.SystemActor,
            new
            {
                reason,
                job.Worker,
                job.RunId,
                job.FaultClass,
                NextAt = NextAt(job),
                State = job.State,
                ApprovalId = kind == TimelineKinds.Unclaimed && job.State == JobState.Approved
                    ? Approval.NameOf(job.JobId, job.ApprovalRound)
                    : null,
            }
        );

    /// <summary>
    /// The entry that ends a job, with the id and the hash of the dead letter that is written in the same transaction.
    /// </summary>
    public static TimelineEntry Naming(TimelineEntry entry, DeadLetter letter)
    {
        var detail = JsonNode.Parse(entry.Detail)!.AsObject();
        detail.Add("dead_letter_id", letter.DeadLetterId);
        detail.Add("dead_letter_sha256", letter.Hash());
        return entry with { Detail = TimelineEntry.Json(detail) };
    }

    /// <summary>An entry for a request that a person or a client made.</summary>
    public static TimelineEntry Asked(string kind, Job job, string actor) => TimelineEntry.Of(kind, job, actor, new { State = job.State });

    /// <summary>When the next attempt may begin. Null: no retry is scheduled.</summary>
    public static DateTimeOffset? NextAt(Job job) => job.State == JobState.Retrying ? Timestamps.At(job.ReadyAt) : null;
}
