using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dispatcher.Base;
using Dispatcher.CommandLine.Screens;
using Dispatcher.Policies;
using Dispatcher.Policies.Linting;
using Dispatcher.Policies.Model;

namespace Dispatcher.CommandLine.Policies;

/// <summary><c>dispatcher policy lint</c>: reports errors and likely mistakes of a bundle. Needs no server.</summary>
internal static class PolicyLintVerb
{
    // Relaxed: people read a witness and paste it into a submission; it is never part of an HTML page.
    private static readonly JsonSerializerOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Verb Create(Terminal terminal)
    {
        var folder = LocalPolicies.Folder();
        var json = new Option<bool>("--json") { Description = "Print one JSON document: findings, errors, warnings." };
        var strict = new Option<bool>("--strict") { Description = "Also fail if there are only warnings." };
        var verb = new Verb(
            "lint",
            "Check a bundle for errors that prevent loading and for likely mistakes. A finding may show a job that proves it. "
                + "Exit code 1 when there are errors.",
            "dispatcher policy lint",
            "dispatcher policy lint policies --strict",
            "dispatcher policy lint policies --json"
        )
        {
            folder,
            json,
            strict,
        };
        verb.SetAction(call =>
            LocalPolicies.Run(
                terminal,
                screen =>
                    Report(
                        screen,
                        BundleLint.Check(LocalPolicies.Read(call.GetValue(folder)!), terminal.Clock.GetUtcNow()),
                        call.GetValue(json),
                        call.GetValue(strict)
                    )
            )
        );
        return verb;
    }

    private static ExitCode Report(Screen screen, IReadOnlyList<LintFinding> findings, bool json, bool strict)
    {
        var errors = findings.Count(finding => finding.Severity == LintSeverity.Error);
        var warnings = findings.Count(finding => finding.Severity == LintSeverity.Warning);
        if (json)
        {
            var document = new JsonObject
            {
                ["findings"] = new JsonArray([.. findings.Select(Json)]),
                ["errors"] = errors,
                ["warnings"] = warnings,
            };
            screen.Json(document.ToJsonString(Relaxed));
        }
        else
        {
            Show(screen, findings);
            screen.Line($"{errors} errors, {warnings} warnings, {findings.Count - errors - warnings} infos");
        }

        return errors > 0 || (strict && warnings > 0) ? ExitCode.No : ExitCode.Done;
    }

    private static void Show(Screen screen, IReadOnlyList<LintFinding> findings)
    {
        foreach (var finding in findings)
        {
            screen.Line(finding.ToString().ReplaceLineEndings(" "));
            if (finding.Witness is { } job)
            {
                screen.Line("    " + Json(job).ToJsonString(Relaxed));
            }
        }
    }

    private static JsonObject Json(LintFinding finding) =>
        new()
        {
            ["severity"] = JsonSerializer.SerializeToNode(finding.Severity),
            ["code"] = finding.Code,
            ["where"] = finding.Where,
            ["message"] = finding.Message,
            ["fix"] = finding.Fix,
            ["witness"] = finding.Witness is { } job ? Json(job) : null,
        };

    /// <summary>A job in the format of a submission, with its principal and, after the first, its attempt.</summary>
    private static JsonObject Json(JobFacts job)
    {
        var json = new JsonObject
        {
            ["principal"] = job.Principal,
            ["topic"] = job.Topic,
            ["labels"] = new JsonObject(job.Labels.Select(label => KeyValuePair.Create(label.Key, (JsonNode?)label.Value))),
            ["risk_tags"] = new JsonArray([.. job.RiskTags.Select(tag => (JsonNode)tag)]),
            ["payload"] = JsonNode.Parse(job.Payload.Span),
        };
        if (job.WorkflowId is { } workflow)
        {
            json["workflow_id"] = workflow;
        }

        if (job.Attempt > 1)
        {
            json["attempt"] = job.Attempt;
        }

        return json;
    }
}
