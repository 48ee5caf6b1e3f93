using System.Security.Cryptography;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;

namespace Dispatcher.Recovery;

/// <summary>Timeline entries of outcomes that workers report.</summary>
internal static class OutcomeEntries
{
    /// <summary>The end of an attempt as its worker reported it, and why the next state follows.</summary>
    public static TimelineEntry Ended(string kind, Job job, AttemptOutcome outcome, string? why = null) =>
        TimelineEntry.Of(
            kind,
            job,
            job.ClaimedBy ?? TimelineEntry.SystemActor,
            new
            {
                job.Worker,
                outcome.RunId,
                outcome.PermitId,
                outcome.StartedAt,
                outcome.EndedAt,
                outcome.Fault,
                job.FaultClass,
                Why = why,
                NextAt = JobEntries.NextAt(job),
                ResultSha256 = job.Result is null ? null : Convert.ToHexStringLower(SHA256.HashData(job.Result)),
                State = job.State,
            }
        );

    public static TimelineEntry Late(AttemptOutcome outcome, string sender, JobState state) =>
        new()
        {
            JobId = outcome.JobId,
            Kind = TimelineKinds.LateOutcome,
            Attempt = outcome.Attempt,
            Actor = sender,
            Detail = TimelineEntry.Json(
                new
                {
                    Worker = StoredText.Cut(outcome.Worker, 128),
                    outcome.RunId,
                    outcome.PermitId,
                    outcome.Kind,
                    Fault = outcome.Fault is null ? null : RecoveryMoves.Capped(outcome.Fault),
                    State = state,
                }
            ),
        };
}
