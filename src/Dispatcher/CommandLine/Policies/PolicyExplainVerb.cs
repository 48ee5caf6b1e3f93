using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Dispatcher.Api;
using Dispatcher.Base;
using Dispatcher.CommandLine.Screens;
using Dispatcher.Contracts;
using Dispatcher.Intake;
using Dispatcher.Policies.Model;
using Microsoft.Extensions.Options;

namespace Dispatcher.CommandLine.Policies;

/// <summary><c>dispatcher policy explain</c>: evaluates a planned job by a policy folder. Needs no server.</summary>
internal static class PolicyExplainVerb
{
    public static Verb Create(Terminal terminal)
    {
        var options = new SubmitOptions();
        var folder = new Option<string>("--policies")
        {
            HelpName = "DIR",
            Description = "The policy folder.",
            DefaultValueFactory = _ => "policies",
        };
        var principal = new Option<string>("--principal")
        {
            HelpName = "NAME",
            Description = "Principal that would submit the job.",
            Required = true,
        };
        principal.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && !PrincipalName.IsValid(token.Value))
            {
                result.AddError($"--principal '{token.Value}' is not allowed: write 1 to 64 characters of a-z, 0-9, _ and -.");
            }
        });
        var attempt = new Option<int?>("--attempt")
        {
            HelpName = "N",
            Description = "Number of the attempt to evaluate, 1 to 100. Default 1.",
            CustomParser = Identifiers.WholeNumber("--attempt", 1, 100),
        };
        var at = new Option<string?>("--at")
        {
            HelpName = "TIME",
            Description = "Time of the evaluation, for example 2026-12-24T12:00:00Z. Default: now.",
        };
        at.Validators.Add(result => SubmitOptions.CheckTime(result, "--at"));
        var json = new Option<bool>("--json") { Description = "Print one JSON document and nothing else." };
        var verb = new Verb(
            "explain",
            "Explain the decision of a policy folder on a planned job: every rule with the first condition that failed. For a stored job: "
                + "'dispatcher jobs explain'. Exit code 1 when the job is denied.",
            "dispatcher policy explain --principal billing --topic job.exec.shell --label env=dev --payload "
                + "'{\"command\":[\"git\",\"--version\"]}'",
            "dispatcher policy explain --policies ./policies --principal release --file job.json --json"
        )
        {
            folder,
            principal,
            attempt,
            at,
            json,
        };
        options.AddTo(verb);
        verb.SetAction(call =>
            LocalPolicies.Run(
                terminal,
                screen =>
                {
                    var bundle = LocalPolicies.Load(call.GetValue(folder)!);
                    var job = Read(options.Body(call, terminal), call.GetRequiredValue(principal), call.GetValue(attempt) ?? 1);
                    var explanation = ExplanationView.Of(
                        bundle.Explain(
                            job,
                            call.GetValue(at) is { } time
                                ? DateTimeOffset.Parse(time, CultureInfo.InvariantCulture)
                                : terminal.Clock.GetUtcNow()
                        )
                    );
                    if (call.GetValue(json))
                    {
                        screen.Json(JsonSerializer.Serialize(explanation, LocalPolicies.Json));
                    }
                    else
                    {
                        ExplanationScreen.Show(screen, JsonSerializer.SerializeToElement(explanation, LocalPolicies.Json));
                    }

                    return explanation.Verdict == Verdict.Deny ? ExitCode.No : ExitCode.Done;
                }
            )
        );
        return verb;
    }

    private static JobFacts Read(byte[] body, string principal, int attempt)
    {
        var errors = new List<InputError>();
        var source = new SubmissionSource
        {
            Channel = "http",
            Principal = principal,
            NewJobId = Guid.Empty,
        };
        return new SubmissionReader(Options.Create(new IntakeOptions())).Read(body, source, errors) is { } submission
            ? submission.Job.Facts(attempt)
            : throw new ExitException(
                ExitCode.WrongUse,
                string.Join("; ", errors.Select(error => $"{error.Where}: {error.Message}")),
                errors[0].Fix
            );
    }
}
