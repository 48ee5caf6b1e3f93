using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dispatcher.Contracts;
using Dispatcher.Jobs;

namespace Dispatcher.CommandLine.Demo;

/// <summary>One job of the demonstration: what it is for, and what is handed in.</summary>
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

    /// <summary>Submits the job, follows it to where it rests, and returns all of it.</summary>
    public async Task<JsonNode> RunAsync(DemoAudience audience, CancellationToken cancellationToken)
    {
        audience.Line($"\n{Title}\n  {Body}");
        var decision = (await audience.Api.SubmitAsync(Encoding.UTF8.GetBytes(Body), cancellationToken)).Body;
        audience.Line($"  decision: {decision.Text("verdict")} by {decision.Text("rules")}: {decision.Text("reason")}");
        var id = decision.GetProperty("job_id").GetGuid();
        var job =
            decision.Text("state") == "denied"
                ? default
                : await audience.FollowAsync(id, state => state == JobState.Held || state.IsFinal(), cancellationToken);
        return new JsonObject
        {
            ["title"] = Title,
            ["decision"] = Node(decision),
            ["job"] = Node(job),
            ["timeline"] = Node(await audience.ShowTimelineAsync(id, cancellationToken)),
        };
    }

    private static JsonNode? Node(JsonElement element) =>
        element.ValueKind == JsonValueKind.Undefined ? null : JsonNode.Parse(element.GetRawText());
}
