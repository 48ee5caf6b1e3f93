using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Dispatcher.UnitTests.Policies.Format;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>
/// Follows the documents in a terminal, and does what they ask for in words: waits for a bundle, writes a draft, replaces names in angle
/// brackets.
/// </summary>
internal sealed partial class ReadmeUser(Shell shell, HttpClient admin)
{
    public Task<string> RunAsync(IEnumerable<string> commands) =>
        RunAsync(commands, command => HasAnswer().IsMatch(command) ? [0, 1] : [0]);

    /// <summary>Runs each command with its names filled in. Returns what the last one printed.</summary>
    public async Task<string> RunAsync(IEnumerable<string> commands, Func<string, int[]> expected)
    {
        var output = "";
        foreach (var command in commands)
        {
            output = await shell.RunAsync(await FilledAsync(command), expected(command));
            Assert.DoesNotMatch("\"status\": ?[45][0-9][0-9]", output);
        }

        return output;
    }

    /// <summary>Writes the guide's files into a draft, checks them, and waits between putting them in force and the first job.</summary>
    public async Task MakeTopicAsync(string root, IReadOnlyList<string> check, IReadOnlyList<string> putInForce)
    {
        GuideFiles.WriteDraft(Path.Combine(root, "draft"));
        await RunAsync(check);

        var before = await ActiveAsync();
        await RunAsync(putInForce.TakeWhile(command => !command.StartsWith("dispatcher submit", StringComparison.Ordinal)));
        await Eventually.IsAsync(
            async () => await ActiveAsync() != before,
            () => "the new bundle is in force\n" + shell.Log,
            TimeSpan.FromSeconds(30)
        );
        await RunAsync(putInForce.SkipWhile(command => !command.StartsWith("dispatcher submit", StringComparison.Ordinal)));
    }

    /// <summary>Has two deployments of <c>billing</c> wait, then votes on them with the key that the second command makes.</summary>
    public async Task VoteAsync(IReadOnlyList<string> commands)
    {
        var ana = "";
        foreach (var command in commands)
        {
            if (command.StartsWith("dispatcher approvals list", StringComparison.Ordinal))
            {
                await HoldAsync();
                await HoldAsync();
            }

            var output = await RunAsync([command.Replace("<Ana's key>", ana, StringComparison.Ordinal)]);
            ana = Key().Match(output) is { Success: true } key ? key.Value : ana;
        }
    }

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    private async Task HoldAsync()
    {
        using var key = new StringContent(
            """{"subject": "billing", "person": "bea", "roles": ["producer"]}""",
            Encoding.UTF8,
            "application/json"
        );
        using var created = await admin.PostAsync(new Uri("/api/keys", UriKind.Relative), key, Now);
        var billing = (await created.Content.ReadFromJsonAsync<JsonElement>(Now)).GetProperty("key").GetString();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/jobs")
        {
            Headers = { Authorization = new("Bearer", billing) },
            Content = new StringContent(
                """{"topic": "job.deploy.apply", "labels": {"env": "prod"}, "payload": {"recipe": "web", "version": "1.2.3"}}""",
                Encoding.UTF8,
                "application/json"
            ),
        };
        using var answer = await admin.SendAsync(request, Now);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Now));
    }

    private async Task<string> FilledAsync(string command)
    {
        if (!command.Split(" #")[0].Contains('<', StringComparison.Ordinal) || command.Contains("@<(", StringComparison.Ordinal))
        {
            return command;
        }

        var policies = await GetAsync("/api/policies");
        var bundles = policies.GetProperty("bundles").EnumerateArray().Select(bundle => bundle.GetProperty("hash").GetString()!).ToList();
        var jobs = (await GetAsync("/api/jobs"))
            .GetProperty("items")
            .EnumerateArray()
            .Select(job => job.GetProperty("job_id").GetString()!);
        var held = (await GetAsync("/api/approvals?mine=false"))
            .GetProperty("items")
            .EnumerateArray()
            .Where(approval => approval.GetProperty("principal").GetString() == "billing")
            .ToList();
        var values = new List<(string Name, string? Value)>
        {
            ("hash", bundles[0]),
            ("other_hash", bundles[^1]),
            ("job_id", jobs.FirstOrDefault()),
        };
        if (held.Count > 0)
        {
            var other = held[^1];
            var one = command.Contains("<other approval_id>", StringComparison.Ordinal) ? other : held[0];
            values.AddRange([
                ("approval_id", Text(held[0], "approval_id")),
                ("other approval_id", Text(other, "approval_id")),
                ("view hash", Text(one, "view_hash")),
            ]);
        }

        return values.Aggregate(command, (filled, value) => filled.Replace($"<{value.Name}>", value.Value, StringComparison.Ordinal));
    }

    private static string Text(JsonElement from, string name) => from.GetProperty(name).GetString()!;

    private async Task<string> ActiveAsync() => Text((await GetAsync("/api/policies")).GetProperty("in_force"), "hash");

    private Task<JsonElement> GetAsync(string path) => admin.GetFromJsonAsync<JsonElement>(path, Now);

    /// <summary>Verbs whose exit code 1 is an answer.</summary>
    [GeneratedRegex(" (policy diff|identity check|status) ")]
    private static partial Regex HasAnswer();

    [GeneratedRegex("dsp_[0-9a-z]+_[0-9a-f]+")]
    private static partial Regex Key();
}
