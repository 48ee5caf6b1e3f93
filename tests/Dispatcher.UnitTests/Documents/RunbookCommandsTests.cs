using System.CommandLine.Parsing;
using System.Text.RegularExpressions;
using Dispatcher.CommandLine.Screens;

namespace Dispatcher.UnitTests.Documents;

/// <summary>Each command of the runbook is one of the command line. Journeys run them on real problems.</summary>
public sealed partial class RunbookCommandsTests
{
    public static TheoryData<string> Commands =>
        [
            .. Span()
                .Matches(File.ReadAllText(Path.Combine(Repository.Root, "ops/runbook.md")))
                .Select(span => Whitespace().Replace(span.Groups[1].Value, " "))
                .Distinct(),
        ];

    [Fact]
    public void Runbook_has_commands() => Assert.True(Commands.Count > 25);

    [Theory]
    [MemberData(nameof(Commands))]
    public void Command_of_the_runbook_parses(string command)
    {
        var filled = Word()
            .Replace(
                command,
                word =>
                    word.Value switch
                    {
                        "NAME" => "worker-shell",
                        "HASH" => "0123456789abcdef",
                        _ => "0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10",
                    }
            );

        var call = RootCommandLine.Parse([.. CommandLineParser.SplitCommandLine(filled).Skip(1)], Terminal.OfProcess);

        Assert.True(call.Errors.Count == 0, $"{command}: {string.Join("; ", call.Errors.Select(error => error.Message))}");
    }

    [GeneratedRegex("`(dispatcher [^`]+)`")]
    private static partial Regex Span();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Whitespace();

    /// <summary>A word that stands for an id, a hash or a name.</summary>
    [GeneratedRegex(@"\b(?:ID|KEY_ID|HASH|NAME)\b")]
    private static partial Regex Word();
}
