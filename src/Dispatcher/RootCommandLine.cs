using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Dispatcher.Base;
using Dispatcher.CommandLine;
using Dispatcher.CommandLine.Demo;
using Dispatcher.CommandLine.Diagnosing;
using Dispatcher.CommandLine.Identities;
using Dispatcher.CommandLine.Policies;
using Dispatcher.CommandLine.QueueMigrations;
using Dispatcher.CommandLine.Screens;
using Dispatcher.Policies.Texts;

namespace Dispatcher;

/// <summary>The tree of verbs of the program <c>dispatcher</c>, and how one call of it runs.</summary>
internal static class RootCommandLine
{
    public static RootCommand Create(Terminal terminal)
    {
        var root = new RootCommand(
            "Dispatcher runs jobs that a policy allows. "
                + "Exit codes: 0 done, 1 the answer is no, 2 wrong use, 3 a server or file is unavailable."
        );

        root.Add(DemoVerb.Create(terminal));
        root.Add(ServeVerb.Create(terminal));
        root.Add(DoctorVerb.Create(terminal));
        root.Add(MigrateVerb.Create(terminal));
        root.Add(RetainVerb.Create(terminal));
        var verbs = new ServerVerbs(terminal);
        root.Add(SubmitVerb.Create(verbs));
        root.Add(JobsVerbs.Create(verbs));
        root.Add(ApprovalsVerbs.Create(verbs));
        root.Add(DeadLettersVerbs.Create(verbs));
        root.Add(IncidentVerbs.Create(verbs));
        root.Add(KeysVerbs.Create(verbs));
        root.Add(IdentityVerbs.Create(verbs));
        root.Add(QueuesMigrateVerb.Create(verbs));
        root.Add(FreezeVerbs.Freeze(verbs));
        root.Add(FreezeVerbs.Unfreeze(verbs));
        root.Add(StatusVerb.Create(verbs));
        root.Add(PolicyVerbs.Create(verbs, terminal));
        root.Add(AuditVerbs.Create(terminal));

        var help = root.Options.OfType<HelpOption>().Single();
        help.Action = new HelpWithExamples((HelpAction)help.Action!);
        return root;
    }

    /// <summary>Parses arguments. Response files are off, because <c>@file</c> names the file of a payload.</summary>
    public static ParseResult Parse(IReadOnlyList<string> args, Terminal terminal) =>
        Create(terminal).Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });

    public static async Task<int> InvokeAsync(IReadOnlyList<string> args, Terminal terminal)
    {
        var call = Parse(args, terminal);
        if (call.Action is ParseErrorAction wrongUse)
        {
            // The whole help would scroll the error away; it is shown only when the verb is missing.
            wrongUse.ShowHelp = call.CommandResult.Command is not Verb { Action: not null };
            // The library would suggest "--help" for any value, and on the output stream.
            wrongUse.ShowTypoCorrections = false;
        }

        if (ArgumentSecrets.WarningFor(call) is { } warning)
        {
            terminal.Error.WriteLine(warning);
        }

        var configuration = new InvocationConfiguration
        {
            Output = terminal.Output,
            Error = terminal.Error,
            EnableDefaultExceptionHandler = false,
            // The host of the server handles signals; a client verb has no state that Ctrl-C could damage.
            ProcessTerminationTimeout = null,
        };
        var code = await call.InvokeAsync(configuration, CancellationToken.None);
        if (call.Action is not ParseErrorAction)
        {
            return code;
        }

        WriteNearest(call, terminal.Error);
        if (call.CommandResult.Command is Verb verb)
        {
            terminal.Error.WriteLine($"Options and examples: {verb.Path} --help");
        }

        return (int)ExitCode.WrongUse;
    }

    /// <summary>Writes the nearest option for each unknown one, and the nearest verb for an unknown first word.</summary>
    private static void WriteNearest(ParseResult call, TextWriter error)
    {
        var command = call.CommandResult.Command;
        string[] options = [.. command.Options.Where(option => option is not HelpOption).Select(option => option.Name)];
        string[] verbs = [.. command.Subcommands.Select(verb => verb.Name)];
        foreach (var (index, word) in call.UnmatchedTokens.Index())
        {
            var known =
                word.StartsWith('-') ? options
                : index == 0 ? verbs
                : [];
            if (Nearest.To(word, known) is { } nearest)
            {
                error.WriteLine($"Did you mean '{nearest}'?");
            }
        }
    }

    private sealed class HelpWithExamples(HelpAction plain) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            var code = plain.Invoke(parseResult);
            if (parseResult.CommandResult.Command is Verb { Examples.Count: > 0 } verb)
            {
                var output = parseResult.InvocationConfiguration.Output;
                output.WriteLine("Examples:");
                foreach (var example in verb.Examples)
                {
                    output.WriteLine("  " + example);
                }

                output.WriteLine();
            }

            return code;
        }
    }
}
