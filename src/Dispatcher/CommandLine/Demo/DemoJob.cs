using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dispatcher.CommandLine.Screens;
using Dispatcher.Contracts;
using Dispatcher.Jobs;

namespace Dispatcher.CommandLine.Demo;

/// <summary>One job of the demonstration: its title and its submission.</summary>
internal sealed record DemoJob(string Title, string Body)
{
    public static readonly DemoJob[] All =
    [
        new(
            "Denied: a destructive command in production",
            """{"topic": "job.exec.shell", "labels": {"env": "prod"}, "payload": {"command": ["rm", "-rf", "/srv/data"]}}"""
        ),
        new(
            "Held: a deployment to production needs a person",
            """{"topic": "job.deploy.apply", "labels": {"env": "prod"}, "payload": {"recipe": "web", "version": "1.2.3"}}"""
        ),
        new(
            "Allowed with constraints: a read-only command in development",
            """{"topic": "job.exec.shell", "labels": {"env": "dev"}, "payload": {"command": ["echo", "hello from a constrained shell"]}}"""
        ),
        new("Allowed: reading a repository", """{"topic": "job.repo.read", "payload": {"repo": "demo", "op": "log", "limit": 1}}"""),
    ];

    /// <summary>Submits the job, follows it until it is held or final, and returns decision, job and timeline.</summary>
    public async Task<JsonNode> RunAsync(DemoScreen demo, CancellationToken cancellationToken)
    {
        demo.Line($"\n{Title}\n  {Body}");
        var decision = (await demo.Api.SubmitAsync(Encoding.UTF8.GetBytes(Body), cancellationToken)).Body;
        demo.Line($"  decision: {decision.Text("verdict")} by {decision.Text("rules")}: {decision.Text("reason")}");
        var id = decision.GetProperty("job_id").GetGuid();
        var job =
            decision.Text("state") == "denied"
                ? default
                : await demo.FollowAsync(id, state => state == JobState.Held || state.IsFinal(), cancellationToken);
        return new JsonObject
        {
            ["title"] = Title,
            ["decision"] = Node(decision),
            ["job"] = Node(job),
            ["timeline"] = Node(await demo.ShowTimelineAsync(id, cancellationToken)),
        };
    }

    private static JsonNode? Node(JsonElement element) =>
        element.ValueKind == JsonValueKind.Undefined ? null : JsonNode.Parse(element.GetRawText());
}
