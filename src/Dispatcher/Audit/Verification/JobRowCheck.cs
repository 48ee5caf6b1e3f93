using System.Security.Cryptography;
using Dispatcher.Base;
using Dispatcher.Jobs;
using Dispatcher.Storage;

namespace Dispatcher.Audit.Verification;

/// <summary>
/// Compares the rows of one job with its timeline: hash, states, attempt, result and fault, then approvals and dead letters. Pure.
/// </summary>
internal static class JobRowCheck
{
    public static IEnumerable<IncompleteJob> Of(AuditedJob stored)
    {
        // Submissions that were denied for now come before intake, and may be of another job with this id.
        var (job, lines) = (stored.Job, stored.Lines.SkipWhile(line => !IsIntake(line)).ToList());
        if (lines.Count == 0)
        {
            const string Unknown = "the job has a row in jobs, and no entry of intake tells of it";
            return [new IncompleteJob(Gap.RowWithoutEntry, job.JobId, null, job.Attempt, Unknown)];
        }

        return
        [
            .. Hash(job, lines),
            .. States(job, lines),
            .. Ends(job, lines),
            .. ApprovalRowCheck.Of(stored, lines),
            .. DeadLetterCheck.Of(stored, lines),
        ];
    }

    private static bool IsIntake(JobLine line) => line is { Kind: TimelineKinds.Accepted or TimelineKinds.Held, Detail.HasAnswer: true };

    /// <summary>What two entries name is compared along the history; here the row with the first that names one.</summary>
    private static IEnumerable<IncompleteJob> Hash(Job job, List<JobLine> lines)
    {
        var (intake, computed) = (lines[0], JobHash.Of(job));
        if (job.JobHash != intake.Detail.JobHash)
        {
            yield return intake.Gap(Gap.JobHashDiffers, "jobs.job_hash is not what intake wrote", job.JobHash, intake.Detail.JobHash);
        }

        if (computed != job.JobHash)
        {
            const string Changed =
                "what is stored of the job does not have its job_hash: payload, labels or another submitted column was changed";
            yield return intake.Gap(Gap.JobHashDiffers, Changed, computed, job.JobHash);
        }
    }

    private static IEnumerable<IncompleteJob> States(Job job, List<JobLine> lines)
    {
        var told = lines.Where(line => line.State is not null).ToList();
        foreach (var (before, after) in told.Zip(told.Skip(1)))
        {
            if (!MayFollow(before.State!, after.State!))
            {
                var impossible = $"\"{after.Kind}\" follows \"{before.Kind}\", and no transition leads there";
                yield return after.Gap(Gap.ImpossibleTransition, impossible, after.State, $"what may follow {before.State}");
            }
        }

        if (told[^1] is var last && last.State != WireNames.Of(job.State))
        {
            yield return last.Gap(Gap.RowDiffers, "jobs.state is not what the last entry says", WireNames.Of(job.State), last.State);
        }

        var dispatched = lines.LastOrDefault(line => line.Kind == TimelineKinds.Dispatched);
        var attempt = dispatched?.Entry.Attempt ?? 0;
        if (job.Attempt != attempt)
        {
            const string Differs = "jobs.attempt is not that of the last dispatch";
            yield return (dispatched ?? lines[0]).Gap(Gap.RowDiffers, Differs, $"{job.Attempt}", $"{attempt}");
        }
    }

    private static bool MayFollow(string before, string after) =>
        WireNames.TryState(before, out var from) && WireNames.TryState(after, out var to) && Transitions.Allows(from, to);

    /// <summary>Result and fault are what the last attempt that ended by itself left.</summary>
    private static IEnumerable<IncompleteJob> Ends(Job job, List<JobLine> lines)
    {
        var end = lines.LastOrDefault(line => line.Kind is TimelineKinds.Succeeded or TimelineKinds.Faulted or TimelineKinds.Fenced);
        var at = end ?? lines[0];
        var (result, expected) = (Sha256(job.Result), end?.Kind == TimelineKinds.Succeeded ? end.Detail.ResultSha256 : null);
        if (result != expected)
        {
            yield return at.Gap(Gap.RowDiffers, "jobs.result does not have the SHA-256 that the outcome's entry names", result, expected);
        }

        var faultClass = end?.Kind == TimelineKinds.Succeeded ? null : end?.Detail.FaultClass;
        if (job.FaultClass != faultClass)
        {
            yield return at.Gap(Gap.RowDiffers, "jobs.fault_class is not that of the last outcome", job.FaultClass, faultClass);
        }

        // The fault of a cancelled run is on the row, and the class is not its own.
        if (job.State != Contracts.JobState.Cancelled && end is { Kind: TimelineKinds.Faulted } && job.Fault != end.Detail.Fault)
        {
            var (seen, told) = (StoredJson.Write(job.Fault), StoredJson.Write(end.Detail.Fault));
            yield return end.Gap(Gap.RowDiffers, "jobs.fault is not that of the last outcome", seen, told);
        }
    }

    private static string? Sha256(byte[]? bytes) => bytes is null ? null : Convert.ToHexStringLower(SHA256.HashData(bytes));
}
