namespace Dispatcher.CommandLine.Screens;

/// <summary>The environment of one call: streams, variables, clock and width.</summary>
/// <param name="Input">Opens standard input; only called when the value of an option is <c>-</c>.</param>
/// <param name="Output">For the answer; with <c>--json</c> exactly one JSON document.</param>
/// <param name="Error">For errors, hints and progress, which only people read.</param>
/// <param name="Variable">An environment variable, or null.</param>
/// <param name="Clock">For ages and pauses.</param>
/// <param name="Width">Columns of a line. Null: the width of the terminal, unlimited for a file or a pipe.</param>
internal sealed record Terminal(
    Func<Stream> Input,
    TextWriter Output,
    TextWriter Error,
    Func<string, string?> Variable,
    TimeProvider Clock,
    int? Width = null
)
{
    public static Terminal OfProcess { get; } =
        new(Console.OpenStandardInput, Console.Out, Console.Error, Environment.GetEnvironmentVariable, TimeProvider.System);
}
