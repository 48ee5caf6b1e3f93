using System.CommandLine;
using System.Text.RegularExpressions;
using Dispatcher.Base;
using Dispatcher.CommandLine;
using Dispatcher.CommandLine.Screens;

namespace Dispatcher.UnitTests.Documents;

/// <summary>
/// The exit codes of the program as tables of <c>ops/README.md</c>: the meaning of each code, and when each verb ends with code 1.
/// </summary>
internal static partial class ExitCodesTables
{
    public static IEnumerable<string> All() =>
        [
            $"""
                | code | meaning |
                |---|---|
                {string.Join(
                    '\n',
                    Enum.GetValues<ExitCode>().Select(code => $"| {(int)code} | {XmlDocs.Of(typeof(ExitCode).GetField($"{code}")!)} |")
                )}

                | verb | code 1 |
                |---|---|
                {string.Join(
                    '\n',
                    Verbs(RootCommandLine.Create(Terminal.OfProcess)).Select(verb => $"| `{verb.Path}` | {CodeOne(verb)} |")
                )}

                """,
        ];

    private static IEnumerable<Verb> Verbs(Command command) =>
        [.. command is Verb verb ? [verb] : Array.Empty<Verb>(), .. command.Subcommands.SelectMany(Verbs)];

    /// <summary>The sentences of the help that name exit code 1. Without one, code 1 is only a refusal of the server.</summary>
    private static string CodeOne(Verb verb)
    {
        string[] cases =
        [
            .. Cases(verb.Description!),
            .. verb.Options.SelectMany(option => Cases(option.Description!).Select(text => $"`{option.Name}`: {text}")),
        ];
        return cases.Length > 0 ? string.Join("; ", cases)
            : verb.Options.Any(option => option.Name == "--url") ? "when the server refuses the request"
            : "not used";
    }

    private static IEnumerable<string> Cases(string text) =>
        SentenceOfCodeOne()
            .Matches(text)
            .Select(match => match.Value.Trim().TrimEnd('.').Replace("|", "\\|", StringComparison.Ordinal))
            .Select(sentence =>
                sentence.StartsWith("Exit code 1 ", StringComparison.Ordinal) ? sentence["Exit code 1 ".Length..]
                : sentence.StartsWith("Also fail ", StringComparison.Ordinal) ? "also " + sentence["Also fail ".Length..]
                : sentence
            );

    [GeneratedRegex(@"[^.:]*\b[Ee]xit code 1\b[^.]*\.|[^.]*: exit code 1\.|\bAlso fail if\b[^.]*\.")]
    private static partial Regex SentenceOfCodeOne();
}
