namespace Dispatcher.CommandLine;

/// <summary>What a call of the program gets from outside itself.</summary>
/// <param name="Input">Opens standard input; only asked when an option says <c>-</c>.</param>
/// <param name="Output">The answer, and with <c>--json</c> nothing but one JSON document.</param>
/// <param name="Error">What is for people only: errors, hints, progress.</param>
/// <param name="Variable">An environment variable, or null.</param>
/// <param name="Clock">For ages and for waiting.</param>
/// <param name="Width">Columns of a line. Null: as many as the terminal has, and no limit for a file or a pipe.</param>
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
