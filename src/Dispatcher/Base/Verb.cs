using System.CommandLine;

namespace Dispatcher.Base;

/// <summary>A command whose help ends with examples, each a whole line that can be pasted.</summary>
internal sealed class Verb(string name, string description, params IReadOnlyList<string> examples) : Command(name, description)
{
    public IReadOnlyList<string> Examples { get; } = examples;

    /// <summary>As it is typed, for example <c>dispatcher jobs list</c>.</summary>
    public string Path =>
        string.Join(
            ' ',
            ["dispatcher", .. Parents.OfType<Command>().Where(parent => parent is not RootCommand).Select(parent => parent.Name), Name]
        );
}

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

/// <summary>Ends a verb early, with a message and its fix. No other exception may do that.</summary>
internal sealed class ExitException(ExitCode code, string message, string fix, Exception? reason = null) : Exception(message, reason)
{
    public ExitCode Code { get; } = code;

    public string Fix { get; } = fix;
}
