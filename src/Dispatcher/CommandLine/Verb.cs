using System.CommandLine;

namespace Dispatcher.CommandLine;

/// <summary>A command whose help ends with examples. Each example is a complete line that can be pasted.</summary>
internal sealed class Verb(string name, string description, params IReadOnlyList<string> examples) : Command(name, description)
{
    public IReadOnlyList<string> Examples { get; } = examples;

    /// <summary>The verb as it is typed, for example <c>dispatcher jobs list</c>.</summary>
    public string Path =>
        string.Join(
            ' ',
            ["dispatcher", .. Parents.OfType<Command>().Where(parent => parent is not RootCommand).Select(parent => parent.Name), Name]
        );
}
