using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dispatcher.CommandLine;
using Dispatcher.Contracts;
using Dispatcher.Jobs;

namespace Dispatcher.Demonstrating;

/// <summary>One job of the demonstration: what it is for, and what is handed in.</summary>
internal sealed record DemoJob(string Title, string Body)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    public static readonly DemoJob[] All =
    [
        new("Denied: a destructive command in production", """{"topic": "job.exec.shell", "labels": {"env": "prod"}, "payload": {"command": ["rm", "-rf", "/srv/data"]}}"""),
        new("Held: a deployment to production needs a person", """{"topic": "job.deploy.apply", "labels": {"env": "prod"}, "payload": {"recipe": "web", "version": "1.2.3"}}"""),
        new("Allowed with constraints: a read-only command in development", """{"topic": "job.exec.shell", "labels": {"env": "dev"}, "payload": {"command": ["echo", "hello from a constrained shell"]}}"""),
        new("Allowed: reading a repository", """{"topic": "job.repo.read", "payload": {"repo": "demo", "op": "log", "limit": 1}}"""),
    ];

    /// <summary>Hands the job in, follows it to where it rests, and tells all of it.</summary>
    /// <param name="api">The server.</param>
    /// <param name="screen">Where to show it as it happens. Null: only the result is wanted.</param>
    /// <param name="clock">For waiting.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<JsonNode> RunAsync(ApiClient api, Screen? screen, TimeProvider clock, CancellationToken cancellationToken)
    {
        screen?.Line($"\n{Title}\n  {Body}");
        var decision = (await api.SubmitAsync(Encoding.UTF8.GetBytes(Body), cancellationToken)).Body;
        screen?.Line($"  decision: {decision.Text("verdict")} by {decision.Text("rules")}: {decision.Text("reason")}");
        var id = decision.GetProperty("job_id").GetGuid();
        var shown = 0L;
        while (true)
        {
            var timeline = (await api.TimelineAsync(id, cancellationToken)).Body;
            foreach (var entry in timeline.Items("items").Where(entry => entry.GetProperty("entry_id").GetInt64() > shown))
            {
                shown = entry.GetProperty("entry_id").GetInt64();
                screen?.Line($"  {entry.GetProperty("at").GetDateTimeOffset():HH:mm:ss.fff}  {entry.Text("kind"),-12} by {entry.Text("actor")}");
            }

            var job = decision.Text("state") == "denied" ? default : (await api.JobAsync(id, cancellationToken)).Body;
            if (Rests(job))
            {
                Result(screen, job);
                return new JsonObject
                {
                    ["title"] = Title,
                    ["decision"] = Node(decision),
                    ["job"] = Node(job),
                    ["timeline"] = Node((await api.TimelineAsync(id, cancellationToken)).Body.GetProperty("items")),
                };
            }

            await Task.Delay(Pause, clock, cancellationToken);
        }
    }

    /// <summary>There is no job, or it waits for a person, or it is over.</summary>
    private static bool Rests(JsonElement job) =>
        job.ValueKind == JsonValueKind.Undefined || job.GetProperty("state").Deserialize<JobState>() is var state && (state == JobState.Held || state.IsFinal());

    private static void Result(Screen? screen, JsonElement job)
    {
        if (job.ValueKind != JsonValueKind.Undefined && job.Text("state") == "succeeded")
        {
            screen?.Line($"  result: {job.Raw("result")}");
        }
    }

    private static JsonNode? Node(JsonElement element) => element.ValueKind == JsonValueKind.Undefined ? null : JsonNode.Parse(element.GetRawText());
}
