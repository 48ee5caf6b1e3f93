namespace Dispatcher.Worker;

/// <summary>A handler's own word on what went wrong and whether it may pass.</summary>
public sealed class JobFaultException : Exception
{
    /// <param name="faultClass">Whether another attempt can help. Null: the handler does not know, and the server's classifier decides.</param>
    /// <param name="code">A machine's word, for example <c>exit:1</c> or <c>http:503</c>; at most 64 characters, more is cut.</param>
    /// <param name="message">What happened, for people; at most 4,096 characters, more is cut. It is stored: no secrets.</param>
    /// <param name="retryAfter">Do not try again sooner. Null: no wish.</param>
    /// <param name="innerException">What caused it. Null: nothing else.</param>
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

    /// <summary>Whether another attempt can help. Null: unknown.</summary>
    public FaultClass? FaultClass { get; }

    /// <summary>A machine's word.</summary>
    public string Code { get; }

    /// <summary>Do not try again sooner. Null: no wish.</summary>
    public TimeSpan? RetryAfter { get; }

    /// <summary>It may pass: try again.</summary>
    public static JobFaultException Transient(string code, string message, TimeSpan? retryAfter = null, Exception? innerException = null) =>
        new(Worker.FaultClass.Transient, code, message, retryAfter, innerException);

    /// <summary>It will fail the same way again: set the job aside.</summary>
    public static JobFaultException Terminal(string code, string message, Exception? innerException = null) =>
        new(Worker.FaultClass.Terminal, code, message, null, innerException);
}

/// <summary>Whether another attempt can help.</summary>
public enum FaultClass
{
    /// <summary>It may pass.</summary>
    Transient,

    /// <summary>It will fail the same way again.</summary>
    Terminal,
}
