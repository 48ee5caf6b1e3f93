namespace Dispatcher.Base;

/// <summary>The exit codes of the program, with the same meaning for every verb.</summary>
internal enum ExitCode
{
    /// <summary>Done.</summary>
    Done = 0,

    /// <summary>
    /// The answer is no: denied, not found, in conflict, refused, not ready, or a job awaited with <c>--wait</c> that did not succeed.
    /// </summary>
    No = 1,

    /// <summary>The call is wrong: an option, a setting, a local file or the API key.</summary>
    WrongUse = 2,

    /// <summary>A server, database or broker that the verb needs cannot be reached or is broken.</summary>
    Unreachable = 3,
}

/// <summary>Ends a verb with an exit code, a message and its fix. A verb throws no other exception on purpose.</summary>
internal sealed class ExitException(ExitCode code, string message, string fix, Exception? reason = null) : Exception(message, reason)
{
    public ExitCode Code { get; } = code;

    public string Fix { get; } = fix;
}
