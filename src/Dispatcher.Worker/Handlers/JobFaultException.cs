namespace Dispatcher.Worker;

/// <summary>Ends a run as faulted, with the class and the code of the fault.</summary>
public sealed class JobFaultException : Exception
{
    /// <param name="faultClass">Whether a retry can help. Null: unknown, and the topic's table of faults decides.</param>
    /// <param name="code">A machine-readable code, for example <c>exit:1</c> or <c>http:503</c>; cut after 64 characters.</param>
    /// <param name="message">
    /// Description of the fault for people; cut after 4,096 characters. It is stored, so it must hold no secret.
    /// </param>
    /// <param name="retryAfter">The shortest wait before the next attempt. Null: the topic's retry settings decide.</param>
    /// <param name="innerException">The cause. Null: none.</param>
    public JobFaultException(
        FaultClass? faultClass,
        string code,
        string message,
        TimeSpan? retryAfter = null,
        Exception? innerException = null
    )
        : base(message, innerException)
    {
        FaultClass = faultClass;
        Code = code;
        RetryAfter = retryAfter;
    }

    /// <summary>Whether a retry can help. Null: unknown.</summary>
    public FaultClass? FaultClass { get; }

    /// <summary>A machine-readable code.</summary>
    public string Code { get; }

    /// <summary>The shortest wait before the next attempt. Null: the topic's retry settings decide.</summary>
    public TimeSpan? RetryAfter { get; }

    /// <summary>A fault that may pass: the dispatcher retries the job.</summary>
    public static JobFaultException Transient(string code, string message, TimeSpan? retryAfter = null, Exception? innerException = null) =>
        new(Worker.FaultClass.Transient, code, message, retryAfter, innerException);

    /// <summary>A fault that a retry would repeat: the job becomes a dead letter.</summary>
    public static JobFaultException Terminal(string code, string message, Exception? innerException = null) =>
        new(Worker.FaultClass.Terminal, code, message, null, innerException);
}

/// <summary>Whether a retry can help.</summary>
public enum FaultClass
{
    /// <summary>The fault may pass.</summary>
    Transient,

    /// <summary>A retry would fail the same way.</summary>
    Terminal,
}
