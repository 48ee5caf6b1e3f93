using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.CommandLine.Screens;

namespace Dispatcher.CommandLine;

/// <summary><c>dispatcher status</c>: the state of the server on one screen.</summary>
internal static class StatusVerb
{
    private const int ServiceUnavailable = 503;

    public static Verb Create(ServerVerbs verbs)
    {
        var verb = new Verb(
            "status",
            "Show the state of the server: readiness, policy in force, jobs, outbox, pools. Exit code 1 when the server is not ready.",
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
                return code == ExitCode.Done && answer.Body.Value("ready").ValueKind != JsonValueKind.True ? ExitCode.No : code;
            }
        );
    }

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
            .. status.Value("warnings") is { ValueKind: JsonValueKind.Array } warnings
                ? warnings.EnumerateArray().Select(warning => ("warning", warning.AsText()))
                : [],
            ("version", status.Text("version")),
            ("ready", status.Value("ready").ValueKind == JsonValueKind.True ? "yes" : "no"),
            .. Members("check", status.Value("checks")),
            ("policy", status.Text("policy_hash") + (status.Text("pinned_by") is { Length: > 0 } who ? $", pinned by {who}" : "")),
            .. Members("jobs", status.Value("jobs")),
            ("outbox", status.Text("outbox")),
            .. status.Value("unrouted") is { ValueKind: JsonValueKind.Object } unrouted ? Members("unrouted", unrouted) : [],
            .. Members("pool", status.Value("pools")),
        ]);

    private static IEnumerable<(string, string)> Members(string name, JsonElement value) =>
        value.ValueKind == JsonValueKind.Object
            ? value.EnumerateObject().Select(member => ($"{name} {member.Name}", member.Value.AsText()))
            : [(name, value.AsText())];
}
