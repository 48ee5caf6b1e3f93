using System.CommandLine;
using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Explaining;
using Dispatcher.Intake;
using Dispatcher.Policies;
using Microsoft.Extensions.Options;

namespace Dispatcher.CommandLine;

/// <summary><c>dispatcher policy explain</c>: asks a policy folder about a job. Needs no server.</summary>
internal static class PolicyExplainVerb
{
    public static Verb Create(Terminal terminal)
    {
        var options = new SubmitOptions();
        var folder = new Option<string>("--policies") { HelpName = "DIR", Description = "The policy folder.", DefaultValueFactory = _ => "policies" };
        var principal = new Option<string>("--principal") { HelpName = "NAME", Description = "Who would hand the job in.", Required = true };
        var attempt = new Option<int>("--attempt") { HelpName = "N", Description = "The attempt that would be made.", DefaultValueFactory = _ => 1 };
        var json = new Option<bool>("--json") { Description = "Print one JSON document and nothing else." };
        var verb = new Verb("explain", "Tell what a policy folder decides on a job, and why: every rule with the first condition that failed. For a stored job: 'dispatcher jobs explain'. Exit code 1 when it is denied.",
            "dispatcher policy explain --principal billing --topic job.exec.shell --label env=dev --payload '{\"command\":[\"git\",\"--version\"]}'",
            "dispatcher policy explain --policies ./policies --principal release --file job.json --json")
        { folder, principal, attempt, json };
        options.AddTo(verb);
        verb.SetAction(call => LocalPolicies.Run(terminal, screen =>
        {
            var bundle = LocalPolicies.Load(call.GetValue(folder)!);
            var job = Read(options.Body(call, terminal), call.GetRequiredValue(principal), call.GetValue(attempt));
            var explanation = ExplanationView.Of(bundle.Explain(job, terminal.Clock.GetUtcNow()));
            if (call.GetValue(json))
            {
                screen.Json(JsonSerializer.Serialize(explanation, LocalPolicies.Json));
            }
            else
            {
                ExplanationScreen.Show(screen, JsonSerializer.SerializeToElement(explanation, LocalPolicies.Json));
            }

            return explanation.Verdict == Verdict.Deny ? ExitCode.No : ExitCode.Done;
        }));
        return verb;
    }

    private static JobFacts Read(byte[] body, string principal, int attempt)
    {
        var errors = new List<InputError>();
        var source = new SubmissionSource { Door = "http", Principal = principal, NewJobId = Guid.Empty };
        return new SubmissionReader(Options.Create(new IntakeOptions())).Read(body, source, errors) is { } submission
            ? submission.Job.Facts(attempt)
            : throw new VerbFailedException(ExitCode.WrongUse, string.Join("; ", errors.Select(error => $"{error.Where}: {error.Message}")), errors[0].Fix);
    }
}
