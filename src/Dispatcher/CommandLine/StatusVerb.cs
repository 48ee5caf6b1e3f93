using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.CommandLine.Screens;

namespace Dispatcher.CommandLine;

/// <summary><c>dispatcher status</c>: the state of the server on one screen.</summary>
internal static class StatusVerb
{
    private const int ServiceUnavailable = 503;

    /// <summary>The first digits of a hash, which identify a bundle.</summary>
    private const int HashLength = 12;

    public static Verb Create(ServerVerbs verbs)
    {
        var verb = new Verb(
            "status",
            "Show the state of the server on one screen: problems first, each with its entry of the runbook, then warnings, servers, "
                + "policy, jobs, queues, outbox, pools, approvals and dead letters. Exit code 1 when there is a problem.",
            "dispatcher status",
            "dispatcher status --url http://10.0.0.7:8080 --json"
        );
        return verbs.Add(
            verb,
            async (call, cancellationToken) =>
            {
                var answer = await call.Api.StatusAsync(cancellationToken);
                if (
                    answer.Status == ServiceUnavailable
                    && await call.Api.ReadinessAsync(cancellationToken) is var health
                    && IsReadiness(health.Body)
                )
                {
                    return ShowReadiness(call, health);
                }

                var code = call.Report(answer, status => Show(call.Screen, status));
                return code == ExitCode.Done && HasProblem(answer.Body) ? ExitCode.No : code;
            }
        );
    }

    /// <summary>A server of an earlier version sends no problems.</summary>
    private static bool HasProblem(JsonElement status) =>
        status.Value("ready").ValueKind != JsonValueKind.True || status.Items("problems").Any(IsUrgent);

    private static bool IsUrgent(JsonElement problem) => problem.Text("severity") != "info";

    /// <summary>A proxy in front of the server may send another body.</summary>
    private static bool IsReadiness(JsonElement body) => body.Value("ready").ValueKind is JsonValueKind.True or JsonValueKind.False;

    /// <summary>Without its database the server cannot authenticate the key, and so shows only the checks that need no key.</summary>
    private static ExitCode ShowReadiness(ServerCall call, ApiAnswer health)
    {
        if (call.Json)
        {
            call.Screen.Json(health.Text);
        }
        else
        {
            call.Screen.Fields([
                ("ready", health.Body.Value("ready").ValueKind == JsonValueKind.True ? "yes" : "no"),
                .. Members("check", health.Body.Value("checks")),
            ]);
        }

        call.Screen.Note("The database of the server is unavailable, so only the checks are shown. The log of the server has the reason.");
        return ExitCode.No;
    }

    private static void Show(Screen screen, JsonElement status) =>
        screen.Fields([
            .. status.Items("problems").Where(IsUrgent).Select(problem => ("PROBLEM", ProblemOf(screen, problem))),
            .. status.Items("problems").Where(problem => !IsUrgent(problem)).Select(problem => ("note", ProblemOf(screen, problem))),
            .. status.Items("warnings").Select(warning => ("warning", warning.AsText())),
            ("version", status.Text("version")),
            ("ready", status.Value("ready").ValueKind == JsonValueKind.True ? "yes" : "no"),
            .. Members("check", status.Value("checks")),
            ("broker alarm", status.Text("broker_alarm")),
            (
                "clock offset",
                status.Value("clock_offset_seconds").ValueKind == JsonValueKind.Number ? status.Text("clock_offset_seconds") + " s" : ""
            ),
            ("certificate", screen.Time(status, "certificate_expires_at") is { Length: > 0 } end ? $"expires {end}" : ""),
            ("policy", status.Text("policy_hash") + (status.Text("pinned_by") is { Length: > 0 } who ? $", pinned by {who}" : "")),
            .. status
                .Items("processes")
                .Select(process => ($"server {process.Text("host")}/{process.Text("pid")}", ServerOf(screen, process, status))),
            .. Members("jobs", status.Value("jobs")),
            ("oldest due job", screen.Time(status, "oldest_due_at")),
            ("outbox", WithAge(screen, status.Value("outbox"))),
            .. Queues(status.Value("queues")),
            .. status.Value("unrouted") is { ValueKind: JsonValueKind.Object } unrouted ? Members("unrouted", unrouted) : [],
            .. Members("pool", status.Value("pools")),
            ("workers", status.Text("workers")),
            ("approvals", WithAge(screen, status.Value("approvals"))),
            .. status.Value("dead_letters") is { ValueKind: JsonValueKind.Object } owners
                ? owners.EnumerateObject().Select(owner => ($"dead letters of {owner.Name}", WithAge(screen, owner.Value)))
                : [],
        ]);

    private static string ProblemOf(Screen screen, JsonElement problem) =>
        $"{problem.Text("problem")}\n"
        + $"{(screen.Time(problem, "since") is { Length: > 0 } since ? $"since {since}; " : "")}see {problem.Text("runbook")}";

    private static string ServerOf(Screen screen, JsonElement process, JsonElement status)
    {
        var (hash, inForce) = (process.Text("policy_hash"), status.Text("policy_hash"));
        return $"version={process.Text("version")} bundle={(hash.Length == 0 ? "(none)" : hash[..Math.Min(hash.Length, HashLength)])}"
            + (hash == inForce ? "" : " (differs)")
            + $" seen {screen.Age(process, "seen_at")}"
            + (process.Value("stale").ValueKind == JsonValueKind.True ? " (stale)" : "");
    }

    /// <summary>The queues that work and the queues that hold something. The others must be empty.</summary>
    private static IEnumerable<(string, string)> Queues(JsonElement queues) =>
        queues.ValueKind == JsonValueKind.Object
            ? queues
                .EnumerateObject()
                .Where(queue => queue.Value.Text("messages") != "0" || queue.Value.Text("consumers") != "0")
                .Select(queue => ($"queue {queue.Name}", queue.Value.AsText()))
            : [];

    /// <summary>The members, with the time of the oldest as its age.</summary>
    private static string WithAge(Screen screen, JsonElement value) =>
        value.ValueKind == JsonValueKind.Object
            ? string.Join(
                    ' ',
                    value
                        .EnumerateObject()
                        .Where(member => member.Name != "oldest_at")
                        .Select(member => $"{member.Name}={member.Value.AsText()}")
                        .Append(screen.Age(value, "oldest_at") is { Length: > 0 } age ? $"(oldest {age})" : "")
                )
                .TrimEnd()
            : "";

    private static IEnumerable<(string, string)> Members(string name, JsonElement value) =>
        value.ValueKind == JsonValueKind.Object
            ? value.EnumerateObject().Select(member => ($"{name} {member.Name}", member.Value.AsText()))
            : [(name, value.AsText())];
}
