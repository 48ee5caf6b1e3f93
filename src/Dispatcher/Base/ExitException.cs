namespace Dispatcher.Base;

/// <summary>The exit codes of the program, the same for every verb.</summary>
internal enum ExitCode
{
    /// <summary>The verb succeeded.</summary>
    Done = 0,

    /// <summary>
    /// The answer is negative: denied, not found, in conflict, refused, not ready, or a job awaited with <c>--wait</c> did not succeed.
    /// </summary>
    No = 1,

    /// <summary>The call is wrong: an option, a local file, or the API key.</summary>
    WrongUse = 2,

    /// <summary>A dependency cannot be reached or is broken.</summary>
    Unreachable = 3,
}

/// <summary>Ends a verb with an exit code, a message and its fix. A verb throws no other exception on purpose.</summary>
internal sealed class ExitException(ExitCode code, string message, string fix, Exception? reason = null) : Exception(message, reason)
{
    public ExitCode Code { get; } = code;

    public string Fix { get; } = fix;
}
