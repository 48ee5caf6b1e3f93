using System.CommandLine;
using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.CommandLine.Screens;
using Dispatcher.Policies;
using Dispatcher.Policies.Testing;

namespace Dispatcher.CommandLine.Policies;

/// <summary><c>dispatcher policy test</c>: runs the cases of a policy folder. Needs no server.</summary>
internal static class PolicyTestVerb
{
    public static Verb Create(Terminal terminal)
    {
        var folder = LocalPolicies.Folder();
        var strict = new Option<bool>("--strict") { Description = "Also fail if a rule can be removed without breaking a case." };
        var json = new Option<bool>("--json") { Description = "Print one JSON document and nothing else." };
        var verb = new Verb(
            "test",
            "Run the cases of a policy folder. Exit code 1 when a decision differs from its case.",
            "dispatcher policy test",
            "dispatcher policy test ./policies --strict"
        )
        {
            folder,
            strict,
            json,
        };
        verb.SetAction(call =>
            LocalPolicies.Run(
                terminal,
                screen =>
                {
                    var report = PolicyTest.Run(LocalPolicies.Read(call.GetValue(folder)!), terminal.Clock.GetUtcNow());
                    if (call.GetValue(json))
                    {
                        screen.Json(JsonSerializer.Serialize(report, LocalPolicies.Json));
                    }
                    else
                    {
                        Show(screen, report);
                    }

                    var isComplete = report.Rules.All(rule => rule.IsMissed);
                    return report.Passed && (isComplete || !call.GetValue(strict)) ? ExitCode.Done : ExitCode.No;
                }
            )
        );
        return verb;
    }

    private static void Show(Screen screen, PolicyTestReport report)
    {
        foreach (var error in report.Errors)
        {
            screen.Line(error.ToString());
        }

        foreach (var test in report.Cases.Where(test => !test.Passed))
        {
            screen.Line($"{test.Where}: FAILED {test.Name}");
            foreach (var difference in test.Differences)
            {
                screen.Line("  " + difference);
            }
        }

        foreach (var rule in report.Rules.Where(rule => !rule.IsMissed))
        {
            screen.Line(
                rule.Cases == 0
                    ? $"{rule.Where}: no case matches rule {rule.Id}. Add a case with a job that the rule decides."
                    : $"{rule.Where}: rule {rule.Id} can be removed without breaking a case. "
                        + "Let a case that it matches expect its rules, reason or constraints."
            );
        }

        screen.Line(
            report.Errors.Count > 0
                ? $"{report.Errors.Count} errors; no case was run. 'dispatcher policy lint' shows the fixes."
                : $"{report.Cases.Count(test => test.Passed)} of {report.Cases.Count} cases passed; "
                    + $"{report.Rules.Count(rule => rule.Cases > 0)} of {report.Rules.Count} rules matched by a case, "
                    + $"{report.Rules.Count(rule => rule.IsMissed)} covered: a case fails without the rule."
        );
    }
}
