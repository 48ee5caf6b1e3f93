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
        // Skip submissions that were denied while no bundle was in force: they are not stored and may be of another job with this id.
        var (job, entries) = (stored.Job, stored.Entries.SkipWhile(entry => !IsIntake(entry)).ToList());
        if (entries.Count == 0)
        {
            const string Unknown = "the job has a row in jobs, but no entry of intake";
            return [new IncompleteJob(Gap.RowWithoutEntry, job.JobId, null, job.Attempt, Unknown)];
        }

        return
        [
            .. Hash(job, entries),
            .. States(job, entries),
            .. Ends(job, entries),
            .. ApprovalRowCheck.Of(stored, entries),
            .. DeadLetterCheck.Of(stored, entries),
        ];
    }

    private static bool IsIntake(AuditedEntry entry) =>
        entry is { Kind: TimelineKinds.Accepted or TimelineKinds.Held, Detail.HasAnswer: true };

    /// <summary>
    /// Compares the hash of the row with that of intake. CompletenessCheck compares the hashes of entries with each other.
    /// </summary>
    private static IEnumerable<IncompleteJob> Hash(Job job, List<AuditedEntry> entries)
    {
        var (intake, computed) = (entries[0], JobHash.Of(job));
        if (job.JobHash != intake.Detail.JobHash)
        {
            yield return intake.Gap(
                Gap.JobHashDiffers,
                "jobs.job_hash differs from the hash that intake recorded",
                job.JobHash,
                intake.Detail.JobHash
            );
        }

        if (computed != job.JobHash)
        {
            const string Changed = "the stored job does not match its job_hash: payload, labels or another submitted column was changed";
            yield return intake.Gap(Gap.JobHashDiffers, Changed, computed, job.JobHash);
        }
    }

    private static IEnumerable<IncompleteJob> States(Job job, List<AuditedEntry> entries)
    {
        var moves = entries.Where(entry => entry.State is not null).ToList();
        foreach (var (before, after) in moves.Zip(moves.Skip(1)))
        {
            if (!MayFollow(before.State!, after.State!))
            {
                var impossible = $"\"{after.Kind}\" follows \"{before.Kind}\", but no transition allows it";
                yield return after.Gap(Gap.ImpossibleTransition, impossible, after.State, $"a state that may follow {before.State}");
            }
        }

        if (moves[^1] is var last && last.State != WireNames.Of(job.State))
        {
            yield return last.Gap(
                Gap.RowDiffers,
                "jobs.state differs from the state that the last entry records",
                WireNames.Of(job.State),
                last.State
            );
        }

        var dispatched = entries.LastOrDefault(entry => entry.Kind == TimelineKinds.Dispatched);
        var attempt = dispatched?.Stored.Attempt ?? 0;
        if (job.Attempt != attempt)
        {
            const string Differs = "jobs.attempt differs from the attempt of the last dispatch";
            yield return (dispatched ?? entries[0]).Gap(Gap.RowDiffers, Differs, $"{job.Attempt}", $"{attempt}");
        }
    }

    private static bool MayFollow(string before, string after) =>
        WireNames.TryState(before, out var from) && WireNames.TryState(after, out var to) && Transitions.Allows(from, to);

    /// <summary>Compares result and fault with the entry of the last attempt that ended by itself.</summary>
    private static IEnumerable<IncompleteJob> Ends(Job job, List<AuditedEntry> entries)
    {
        var end = entries.LastOrDefault(entry => entry.Kind is TimelineKinds.Succeeded or TimelineKinds.Faulted or TimelineKinds.Fenced);
        var at = end ?? entries[0];
        var (result, expected) = (Sha256(job.Result), end?.Kind == TimelineKinds.Succeeded ? end.Detail.ResultSha256 : null);
        if (result != expected)
        {
            yield return at.Gap(Gap.RowDiffers, "jobs.result does not match the SHA-256 in the entry of the outcome", result, expected);
        }

        var faultClass = end?.Kind == TimelineKinds.Succeeded ? null : end?.Detail.FaultClass;
        if (job.FaultClass != faultClass)
        {
            yield return at.Gap(Gap.RowDiffers, "jobs.fault_class differs from that of the last outcome", job.FaultClass, faultClass);
        }

        // The row of a cancelled run has the fault of that run, which its last faulted entry does not record.
        if (job.State != Contracts.JobState.Cancelled && end is { Kind: TimelineKinds.Faulted } && job.Fault != end.Detail.Fault)
        {
            var (seen, recorded) = (StoredJson.Write(job.Fault), StoredJson.Write(end.Detail.Fault));
            yield return end.Gap(Gap.RowDiffers, "jobs.fault differs from that of the last outcome", seen, recorded);
        }
    }

    private static string? Sha256(byte[]? bytes) => bytes is null ? null : Convert.ToHexStringLower(SHA256.HashData(bytes));
}
