namespace Dispatcher.Base;

/// <summary>A point in the path of a job at which the policy is evaluated.</summary>
internal enum Hop
{
    /// <summary>The submission is read and not stored yet.</summary>
    Intake,

    /// <summary>The job is in the backlog of its pool and an attempt would begin.</summary>
    Dispatch,
}
