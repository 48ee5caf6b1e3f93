using System.Text.Json.Nodes;
using Dispatcher.Base;
using Dispatcher.Contracts;

namespace Dispatcher.Jobs;

/// <summary>Timeline entries that several folders write.</summary>
internal static class JobEntries
{
    /// <summary>Something the dispatcher did by itself, and why.</summary>
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
    /// The entry that ends a job, naming the dead letter that is written with it: its id and the hash of all that it keeps.
    /// </summary>
    public static TimelineEntry Naming(TimelineEntry entry, DeadLetter letter)
    {
        var detail = JsonNode.Parse(entry.Detail)!.AsObject();
        detail.Add("dead_letter_id", letter.DeadLetterId);
        detail.Add("dead_letter_sha256", letter.Hash());
        return entry with { Detail = TimelineEntry.Json(detail) };
    }

    public static TimelineEntry Asked(string kind, Job job, string actor) => TimelineEntry.Of(kind, job, actor, new { State = job.State });

    /// <summary>When the next attempt may begin. Null: none is to come by itself.</summary>
    public static DateTimeOffset? NextAt(Job job) => job.State == JobState.Retrying ? Timestamps.At(job.ReadyAt) : null;
}
