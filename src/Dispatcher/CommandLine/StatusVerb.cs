using System.Text.Json;

namespace Dispatcher.CommandLine;

/// <summary><c>dispatcher status</c>: how the server is, in one screen.</summary>
internal static class StatusVerb
{
    public static Verb Create(ServerVerbs verbs)
    {
        var verb = new Verb("status", "Show how the server is: readiness, policy in force, jobs, outbox, pools. Exit code 1 when it is not ready.",
            "dispatcher status",
            "dispatcher status --url http://10.0.0.7:8080 --json");
        return verbs.Add(verb, async (call, cancellationToken) =>
        {
            var answer = await call.Api.StatusAsync(cancellationToken);
            var code = call.Report(answer, status => Show(call.Screen, status));
            return code == ExitCode.Done && answer.Body.Value("ready").ValueKind != JsonValueKind.True ? ExitCode.No : code;
        });
    }

    private static void Show(Screen screen, JsonElement status) => screen.Fields(
    [
        ("version", status.Text("version")),
        ("ready", status.Value("ready").ValueKind == JsonValueKind.True ? "yes" : "no"),
        .. Members("check", status.Value("checks")),
        .. status.Value("warnings") is { ValueKind: JsonValueKind.Array } warnings ? warnings.EnumerateArray().Select(warning => ("warning", warning.AsText())) : [],
        ("policy", status.Text("policy_hash")),
        .. Members("jobs", status.Value("jobs")),
        ("outbox", status.Text("outbox")),
        .. status.Value("unrouted") is { ValueKind: JsonValueKind.Object } unrouted ? Members("unrouted", unrouted) : [],
        .. Members("pool", status.Value("pools")),
    ]);

    private static IEnumerable<(string, string)> Members(string name, JsonElement value) => value.ValueKind == JsonValueKind.Object
        ? value.EnumerateObject().Select(member => ($"{name} {member.Name}", member.Value.AsText()))
        : [(name, value.AsText())];
}
