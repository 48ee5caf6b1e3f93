namespace Dispatcher.Jobs;

/// <summary>Why an attempt failed, as far as it decides what happens next.</summary>
internal static class FaultClasses
{
    /// <summary>It may pass.</summary>
    public const string Transient = "transient";

    /// <summary>Trying again cannot help.</summary>
    public const string Terminal = "terminal";

    /// <summary>Nobody said.</summary>
    public const string Unknown = "unknown";

    /// <summary>It ran into a limit: of the run, or of all its attempts.</summary>
    public const string Timeout = "timeout";

    /// <summary>Its worker went away.</summary>
    public const string Lost = "lost";

    /// <summary>Nobody knows whether the work, or an effect of it, was done.</summary>
    public const string InDoubt = "in_doubt";
}

/// <summary>Codes of faults that the dispatcher itself gives a meaning. Any other is the handler's.</summary>
internal static class FaultCodes
{
    /// <summary>The handler ended because the job was cancelled.</summary>
    public const string Cancelled = "cancelled";

    /// <summary>The run reached its limit.</summary>
    public const string Timeout = "timeout";

    /// <summary>An effect was begun in an earlier attempt, and its end is not known.</summary>
    public const string InDoubt = "in_doubt";

    /// <summary>The attempt ended, and what it left cannot be stored.</summary>
    public const string BadResult = "bad_result";

    /// <summary>The worker stopped while it ran.</summary>
    public const string WorkerStopping = "worker_stopping";

    /// <summary>The worker was not heard of until its lease ended.</summary>
    public const string WorkerLost = "worker_lost";
}
