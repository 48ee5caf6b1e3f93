using Dispatcher.Contracts;

namespace Dispatcher.Jobs;

/// <summary>The states of a job and the states that may follow each. <see cref="Move"/> refuses every other change.</summary>
internal static class Transitions
{
    private static readonly Dictionary<JobState, JobState[]> Table = new()
    {
        // A state that may follow itself: the row changes within the state (a message sent again, a cancel request).
        [JobState.Accepted] =
        [
            JobState.Accepted,
            JobState.Dispatched,
            JobState.Held,
            JobState.Denied,
            JobState.Expired,
            JobState.Cancelled,
        ],
        [JobState.Held] =
        [
            JobState.Held,
            JobState.Approved,
            JobState.Accepted,
            JobState.Rejected,
            JobState.Denied,
            JobState.Expired,
            JobState.Cancelled,
        ],
        [JobState.Approved] =
        [
            JobState.Approved,
            JobState.Dispatched,
            JobState.Held,
            JobState.Denied,
            JobState.Expired,
            JobState.Cancelled,
        ],
        [JobState.Dispatched] =
        [
            JobState.Running,
            JobState.Accepted,
            JobState.Approved,
            JobState.Retrying,
            JobState.Cancelled,
            JobState.Expired,
        ],
        [JobState.Running] =
        [
            JobState.Running,
            JobState.Accepted,
            JobState.Succeeded,
            JobState.Quarantined,
            JobState.Retrying,
            JobState.DeadLettered,
            JobState.Cancelled,
        ],
        [JobState.Retrying] =
        [
            JobState.Retrying,
            JobState.Dispatched,
            JobState.Held,
            JobState.Denied,
            JobState.Expired,
            JobState.Cancelled,
        ],
        [JobState.Succeeded] = [],
        [JobState.Quarantined] = [],
        [JobState.DeadLettered] = [JobState.Accepted],
        [JobState.Denied] = [],
        [JobState.Rejected] = [],
        [JobState.Expired] = [],
        [JobState.Cancelled] = [],
    };

    public static bool Allows(JobState from, JobState to) => Table[from].Contains(to);

    public static bool IsFinal(this JobState state) =>
        state switch
        {
            JobState.Accepted or JobState.Held or JobState.Approved or JobState.Dispatched or JobState.Running or JobState.Retrying =>
                false,
            JobState.Succeeded
            or JobState.Quarantined
            or JobState.DeadLettered
            or JobState.Denied
            or JobState.Rejected
            or JobState.Expired
            or JobState.Cancelled => true,
        };
}
