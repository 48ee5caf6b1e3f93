namespace Dispatcher.Jobs;

/// <summary>The classes of faults. The class decides whether another attempt follows.</summary>
internal static class FaultClasses
{
    /// <summary>Another attempt may succeed.</summary>
    public const string Transient = "transient";

    /// <summary>Another attempt cannot succeed.</summary>
    public const string Terminal = "terminal";

    /// <summary>The handler gave no class.</summary>
    public const string Unknown = "unknown";

    /// <summary>The attempt reached its run limit, or the job its overall deadline.</summary>
    public const string Timeout = "timeout";

    /// <summary>The lease ended without a heartbeat of the worker.</summary>
    public const string Lost = "lost";

    /// <summary>It is unknown whether the work, or an effect of it, was done.</summary>
    public const string InDoubt = "in_doubt";
}

/// <summary>Codes of faults that the dispatcher interprets. Every other code belongs to the handler.</summary>
internal static class FaultCodes
{
    /// <summary>The handler ended because the job was cancelled.</summary>
    public const string Cancelled = "cancelled";

    /// <summary>The run reached its limit.</summary>
    public const string Timeout = "timeout";

    /// <summary>An earlier attempt began an effect, and its result is unknown.</summary>
    public const string InDoubt = "in_doubt";

    /// <summary>The attempt ended with a result that cannot be stored.</summary>
    public const string BadResult = "bad_result";

    /// <summary>The worker stopped while it ran.</summary>
    public const string WorkerStopping = "worker_stopping";

    /// <summary>The worker sent no heartbeat until the lease ended.</summary>
    public const string WorkerLost = "worker_lost";
}
