namespace Dispatcher.Jobs;

/// <summary>
/// The scope of log lines about a job, with the same names as in a worker: JobId, Topic, Attempt and TraceId. Begin it where a line is
/// written: most jobs have no line, and each scope costs an allocation and a change of the execution context.
/// </summary>
internal static class JobScope
{
    private static readonly Func<ILogger, Guid, string, int, string?, IDisposable?> Scope = LoggerMessage.DefineScope<
        Guid,
        string,
        int,
        string?
    >("job {JobId} {Topic} attempt {Attempt} trace {TraceId}");

    public static IDisposable? Begin(ILogger logger, Job job) =>
        Scope(logger, job.JobId, job.Topic, job.Attempt, job.TraceParent is { Length: > 35 } trace ? trace[3..35] : null);
}
