using Dispatcher.Contracts;

namespace Dispatcher.Jobs;

/// <summary>Moves that end a job without an outcome from a worker.</summary>
internal static class JobEnds
{
    /// <summary>Ends a job that did not start before its <c>not_after</c>.</summary>
    public static Move Expired(Job job) => Ended(job, JobState.Expired, TimelineKinds.Expired, "not_after has passed");

    /// <summary>Ends a job in a final state that has no dead letter.</summary>
    public static Move Ended(Job job, JobState state, string kind, string reason)
    {
        var after = job with { State = state, Reason = reason };
        return new Move(job, after) { Entry = JobEntries.Repaired(kind, after, reason) };
    }
}
