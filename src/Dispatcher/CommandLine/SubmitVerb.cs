using System.CommandLine;
using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.CommandLine.Screens;

namespace Dispatcher.CommandLine;

/// <summary><c>dispatcher submit</c>: submits one job.</summary>
internal static class SubmitVerb
{
    public static Verb Create(ServerVerbs verbs)
    {
        var options = new SubmitOptions();
        var wait = new Option<bool>("--wait")
        {
            Description = "Wait for the final state and print the result. Exit code 1 unless the job succeeded.",
        };
        var verb = new Verb(
            "submit",
            "Submit a job. Exit code 1 when the policy denies the job.",
            "dispatcher submit --topic job.exec.shell --label env=dev --label command_class=readonly --payload "
                + "'{\"command\":[\"git\",\"--version\"]}' --wait",
            "dispatcher submit --topic job.repo.read --payload @read.json --idempotency-key nightly-2026-01-31",
            "dispatcher submit --file job.json --json",
            "make-job | dispatcher submit --file -"
        );
        options.AddTo(verb);
        verb.Add(wait);
        return verbs.Add(verb, (call, cancellationToken) => RunAsync(call, options, call.Arguments.GetValue(wait), cancellationToken));
    }

    private static async Task<ExitCode> RunAsync(ServerCall call, SubmitOptions options, bool wait, CancellationToken cancellationToken)
    {
        var answer = await call.Api.SubmitAsync(options.Body(call.Arguments, call.Terminal), cancellationToken);
        if (answer.Status == 403 && answer.Body.Value("verdict").ValueKind == JsonValueKind.String)
        {
            return Denied(call, answer);
        }

        if (!wait || !answer.IsSuccess)
        {
            return call.Report(answer, decision => ShowDecision(call.Screen, decision));
        }

        return await JobWait.RunAsync(call, answer, cancellationToken);
    }

    // A denial is a decision, not an error of the call, and is shown like any other decision.
    private static ExitCode Denied(ServerCall call, ApiAnswer answer)
    {
        if (call.Json)
        {
            call.Screen.Json(answer.Text);
        }
        else
        {
            ShowDecision(call.Screen, answer.Body);
            call.Screen.Note($"(result of each rule: dispatcher jobs explain {answer.Body.Text("job_id")})");
        }

        return ExitCode.No;
    }

    private static void ShowDecision(Screen screen, JsonElement decision) =>
        screen.Fields(
            ("job", decision.Text("job_id")),
            ("state", decision.Text("state")),
            ("verdict", decision.Text("verdict")),
            ("rules", decision.Text("rules")),
            ("reason", decision.Text("reason")),
            ("constraints", decision.Text("constraints")),
            ("approval", decision.Text("approval_id")),
            ("policy", decision.Text("policy_hash"))
        );
}
