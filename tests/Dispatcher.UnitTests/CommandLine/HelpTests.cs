using System.CommandLine;
using Dispatcher.CommandLine;
using Dispatcher.CommandLine.Screens;

namespace Dispatcher.UnitTests.CommandLine;

public sealed class HelpTests
{
    /// <summary>Every verb of the command tree, so that a new verb without help fails.</summary>
    public static TheoryData<string> Verbs() => [.. Leaves(RootCommandLine.Create(Terminal.OfProcess), "")];

    [Theory]
    [MemberData(nameof(Verbs))]
    public async Task Every_verb_has_help_with_an_example_of_itself(string verb)
    {
        var help = await CommandLineCall.RunAsync([.. verb.Split(' '), "--help"]);

        Assert.Equal(0, help.Code);
        var examples = help.Output[help.Output.IndexOf("Examples:", StringComparison.Ordinal)..];
        Assert.Contains($"dispatcher {verb}", examples, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public void Every_verb_every_option_and_every_argument_is_described(string verb)
    {
        var command = verb.Split(' ')
            .Aggregate(
                (Command)RootCommandLine.Create(Terminal.OfProcess),
                (parent, name) => parent.Subcommands.Single(child => child.Name == name)
            );

        Symbol[] symbols = [command, .. command.Options, .. command.Arguments];
        Assert.Empty(symbols.Where(symbol => string.IsNullOrWhiteSpace(symbol.Description)).Select(symbol => symbol.Name));
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public async Task Examples_parse(string verb)
    {
        var help = await CommandLineCall.RunAsync([.. verb.Split(' '), "--help"]);
        var examples = help.Output[help.Output.IndexOf("Examples:", StringComparison.Ordinal)..]
            .Split('\n')
            .Where(line => line.Contains("dispatcher ", StringComparison.Ordinal));

        foreach (var example in examples)
        {
            // Only what the shell hands to the program: after a pipe into it, before one out of it, quotes taken off.
            var call = example[(example.IndexOf("dispatcher ", StringComparison.Ordinal) + "dispatcher ".Length)..].Split(" | ")[0].Trim();
            string[] words = [.. call.Split(' ').Select(word => word.Trim('\''))];
            Assert.Empty(RootCommandLine.Parse(words, Terminal.OfProcess).Errors.Select(error => $"{example}: {error.Message}"));
        }
    }

    [Theory]
    [InlineData("jobs list --stat held", "--state")]
    [InlineData("submit --lable env=dev", "--label")]
    [InlineData("aproval list", "approvals")]
    public async Task Misspelt_word_is_answered_with_the_nearest_one_on_the_error_stream_alone(string words, string nearest)
    {
        var call = await CommandLineCall.RunAsync(words.Split(' '));

        Assert.Equal(2, call.Code);
        Assert.Equal([$"Did you mean '{nearest}'?"], call.Error.Split(Environment.NewLine).Where(line => line.StartsWith("Did")));
        Assert.DoesNotContain("was not matched", call.Output, StringComparison.Ordinal);
    }

    private static IEnumerable<string> Leaves(Command command, string path) =>
        [
            .. command is Verb ? [path] : Array.Empty<string>(),
            .. command.Subcommands.SelectMany(child => Leaves(child, $"{path} {child.Name}".Trim())),
        ];
}
