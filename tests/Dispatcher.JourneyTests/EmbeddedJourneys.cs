using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>The embedded server: one process, no broker, no database server. Needs nothing but this project's output.</summary>
public sealed class EmbeddedJourneys
{
    private const string Key = "embedded-journey-key-0123456789";

    [Fact]
    public async Task The_demo_shows_one_job_for_each_verdict_and_ends()
    {
        await using var demo = new Child("dispatcher.dll", new Dictionary<string, string>(), "demo", "--exit", "--json");

        Assert.Equal(0, await demo.EndAsync(TimeSpan.FromSeconds(60)));

        Assert.StartsWith("{", demo.Log, StringComparison.Ordinal);
        using var shown = JsonDocument.Parse(demo.Log);
        Assert.Equal(
            ["DENY none", "REQUIRE_APPROVAL held", "ALLOW_WITH_CONSTRAINTS succeeded", "ALLOW succeeded"],
            shown
                .RootElement.GetProperty("jobs")
                .EnumerateArray()
                .Select(job =>
                    $"{job.GetProperty("decision").GetProperty("verdict").GetString()} {(job.GetProperty("job") is { ValueKind: JsonValueKind.Object } stored ? stored.GetProperty("state").GetString() : "none")}"
                )
        );
    }

    [Fact]
    public async Task The_demo_ends_at_a_signal_while_its_job_waits_for_a_person()
    {
        await using var demo = new Child("dispatcher.dll", new Dictionary<string, string>(), "demo");
        await Eventually.IsAsync(
            () => demo.Log.Contains("What happens to the deployment", StringComparison.Ordinal),
            "the job waits",
            seconds: 60
        );

        Assert.Equal(0, await demo.StopAsync());
    }

    [Fact]
    public async Task After_kills_in_the_middle_every_job_still_ends_once_and_a_second_server_is_turned_away()
    {
        var data = Directory.CreateTempSubdirectory("embedded-journey-").FullName;
        var address = $"http://127.0.0.1:{Servers.FreePort()}";
        using var http = new HttpClient
        {
            BaseAddress = new Uri(address),
            DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", Key) },
        };
        for (var kill = 0; kill < 3; kill++)
        {
            await using var server = await ServeAsync(data, address, http);
            await SubmitAsync(http, from: kill * 20, to: (kill + 1) * 20);
            await server.KillAsync();
        }

        await using var last = await ServeAsync(data, address, http);

        // A second one on the same data is turned away.
        await using var second = new Child(
            "dispatcher.dll",
            new Dictionary<string, string>(),
            "serve",
            "--data",
            data,
            "--urls",
            $"http://127.0.0.1:{Servers.FreePort()}",
            "--policies",
            Policies
        );
        Assert.Equal(2, await second.EndAsync(TimeSpan.FromSeconds(30)));
        Assert.Contains("Another embedded server", second.Log, StringComparison.Ordinal);

        // Handed in again, the very same: answered as the first time, and nothing runs twice.
        await SubmitAsync(http, from: 0, to: 60);
        await Eventually.IsAsync(
            async () => await CountAsync(http, "succeeded") + await CountAsync(http, "dead_lettered") == 60,
            () => "all end\n" + last.Log,
            TimeSpan.FromSeconds(60)
        );
        var letters = await http.GetFromJsonAsync<JsonElement>("/api/dead-letters?limit=500", TestContext.Current.CancellationToken);
        Assert.All(
            letters.GetProperty("items").EnumerateArray(),
            letter => Assert.Equal("in_doubt", letter.GetProperty("fault_class").GetString())
        );
        Assert.Equal(await CountAsync(http, "dead_lettered"), letters.GetProperty("items").GetArrayLength());
        Assert.Equal(0, await last.StopAsync());
        Directory.Delete(data, recursive: true);
    }

    [Fact]
    public async Task Its_worker_deploys_what_the_recipes_say()
    {
        var data = Directory.CreateTempSubdirectory("embedded-journey-").FullName;
        var address = $"http://127.0.0.1:{Servers.FreePort()}";
        var recipes = Path.Combine(data, "recipes.json");
        await File.WriteAllTextAsync(
            recipes,
            $$$"""{"web": {"Env": "dev", "Command": ["echo", "{version}"], "WorkingFolder": "{{{data}}}"}}""",
            TestContext.Current.CancellationToken
        );
        using var http = new HttpClient
        {
            BaseAddress = new Uri(address),
            DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", Key) },
        };
        await using var server = await ServeAsync(data, address, http, "--recipes", recipes);

        var job = new
        {
            topic = "job.deploy.apply",
            labels = new { env = "dev" },
            payload = new { recipe = "web", version = "1.2.3" },
        };
        using var answer = await http.PostAsJsonAsync("/api/jobs", job, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        await Eventually.IsAsync(
            async () => await CountAsync(http, "succeeded") == 1,
            () => "the job succeeds\n" + server.Log,
            TimeSpan.FromSeconds(30)
        );
        await server.KillAsync();
        Directory.Delete(data, recursive: true);
    }

    /// <summary>All from one address, which is the worst place for the honest caller.</summary>
    [Fact]
    public async Task A_gate_is_answered_and_a_known_key_works_while_two_hundred_callers_without_a_key_ask_for_all_there_is()
    {
        var data = Directory.CreateTempSubdirectory("embedded-journey-").FullName;
        var address = $"http://127.0.0.1:{Servers.FreePort()}";
        using var http = new HttpClient
        {
            BaseAddress = new Uri(address),
            DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", Key) },
        };
        using var nobody = new HttpClient { BaseAddress = new Uri(address) };
        await using var server = await ServeAsync(data, address, http);
        await SubmitAsync(http, from: 0, to: 1);
        await Eventually.IsAsync(
            async () => await CountAsync(http, "succeeded") == 1,
            () => "the job ends\n" + server.Log,
            TimeSpan.FromSeconds(30)
        );
        await Eventually.IsAsync(
            async () => await RateAsync(nobody) == ("1", null),
            () => "the gate knows of it\n" + server.Log,
            TimeSpan.FromSeconds(30)
        );

        using var end = new CancellationTokenSource();
        string[] windows = ["1s", "599s", "11m", "5m", "15m", "1h", "6h", "24h", ""];
        var hammering = Enumerable
            .Range(0, 200)
            .Select(i => HammerAsync(nobody, j => $"/metrics/p95-latency-ms?window={windows[(i + j) % windows.Length]}", end.Token))
            .ToList();
        for (var i = 0; i < 20; i++)
        {
            Assert.Equal(("1", null), await RateAsync(nobody));
        }

        await end.CancelAsync();
        Assert.All(await Task.WhenAll(hammering), answers => Assert.Equal([HttpStatusCode.OK], answers.Distinct()));

        // Guesses may be refused, but not the caller whose key is known.
        var guesses = await Task.WhenAll(Enumerable.Range(0, 800).Select(i => StatusAsync(nobody, "/api/jobs", $"guess-{i}")));
        Assert.All(guesses, guess => Assert.True(guess is HttpStatusCode.Unauthorized or HttpStatusCode.TooManyRequests, $"{guess}"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(http, "/api/jobs"));
        Directory.Delete(data, recursive: true);
    }

    /// <summary>What the framework would refuse in its own words, and what only a real request has: sizes, encodings, content types.</summary>
    [Fact]
    public async Task A_request_that_is_not_taken_is_answered_with_what_was_seen_and_what_is_allowed()
    {
        var data = Directory.CreateTempSubdirectory("embedded-journey-").FullName;
        var address = $"http://127.0.0.1:{Servers.FreePort()}";
        using var http = new HttpClient
        {
            BaseAddress = new Uri(address),
            DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", Key) },
        };
        await using var server = await ServeAsync(data, address, http);
        using var gzip = new ByteArrayContent([0x1F, 0x8B, 8, 0, 0, 0, 0, 0])
        {
            Headers = { ContentType = new("application/json"), ContentEncoding = { "gzip" } },
        };
        using var large = new ByteArrayContent(new byte[500_000]);
        using var unstated = new StreamContent(new Unseekable(500_000));
        using var huge = new ByteArrayContent(new byte[3_000_000]) { Headers = { ContentType = new("application/json") } };
        using var form = new FormUrlEncodedContent([new("topic", "job.repo.read")]);
        using var keyForm = new FormUrlEncodedContent([new("subject", "ci")]);

        Assert.Equal(
            (
                400,
                "The body is compressed with gzip (content type \"application/json\", content encoding \"gzip\"); compressed bodies are not read."
            ),
            await RefusedAsync(http, "/api/jobs", gzip)
        );
        Assert.Equal((400, "The body has 500,000 bytes; at most 393,216 are read."), await RefusedAsync(http, "/api/jobs", large));
        Assert.Equal(
            (400, "The body has more than 393,216 bytes; at most 393,216 are read."),
            await RefusedAsync(http, "/api/jobs", unstated)
        );
        Assert.Equal((413, "The body has 3,000,000 bytes; allowed: at most 2,097,152."), await RefusedAsync(http, "/api/keys", huge));
        Assert.Equal(
            (400, "The body is no JSON (content type \"application/x-www-form-urlencoded\"); allowed: a JSON object."),
            await RefusedAsync(http, "/api/jobs", form)
        );
        Assert.Equal(
            (415, "Seen: \"application/x-www-form-urlencoded\"; allowed: application/json."),
            await RefusedAsync(http, "/api/keys", keyForm)
        );
        Assert.Equal(HttpStatusCode.BadRequest, await StatusAsync(http, "/api/jobs?class=terminal"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(http, "/api/jobs?state=held"));
        Directory.Delete(data, recursive: true);
    }

    private static async Task<(int Status, string? Message)> RefusedAsync(HttpClient http, string path, HttpContent body)
    {
        using var answer = await http.PostAsync(new Uri(path, UriKind.Relative), body, TestContext.Current.CancellationToken);
        var problem = await answer.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
        Assert.True(problem.TryGetProperty("errors", out var errors), problem.GetRawText());
        return ((int)answer.StatusCode, errors[0].GetProperty("message").GetString());
    }

    private static async Task<List<HttpStatusCode>> HammerAsync(HttpClient http, Func<int, string> path, CancellationToken end)
    {
        var answers = new List<HttpStatusCode>();
        while (!end.IsCancellationRequested)
        {
            answers.Add(await StatusAsync(http, path(answers.Count)));
        }

        return answers;
    }

    private static async Task<HttpStatusCode> StatusAsync(HttpClient http, string path, string? key = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Authorization = key is null ? null : new AuthenticationHeaderValue("Bearer", key);
        using var answer = await http.SendAsync(request, TestContext.Current.CancellationToken);
        return answer.StatusCode;
    }

    private static async Task<(string Rate, string? NoData)> RateAsync(HttpClient http)
    {
        using var answer = await http.GetAsync(
            new Uri("/metrics/success-rate?window=10m", UriKind.Relative),
            TestContext.Current.CancellationToken
        );
        return (
            await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken),
            answer.Headers.TryGetValues("Dispatcher-No-Data-Reason", out var why) ? string.Join("; ", why) : null
        );
    }

    /// <summary>The servers that it names are not for a server that is embedded by its arguments.</summary>
    private static Dictionary<string, string> Environment() =>
        new()
        {
            ["DISPATCHER_API_KEY"] = Key,
            ["DISPATCHER_RABBITMQ"] = "amqp://nobody:none@127.0.0.1:1/",
            ["DISPATCHER_POSTGRES"] = "Host=127.0.0.1;Port=1",
        };

    private static string Policies => Path.Combine(AppContext.BaseDirectory, "policies");

    private static async Task<Child> ServeAsync(string data, string address, HttpClient http, params string[] more)
    {
        var server = new Child(
            "dispatcher.dll",
            Environment(),
            ["serve", "--data", data, "--urls", address, "--policies", Policies, .. more]
        );
        await Eventually.IsAsync(
            async () =>
            {
                try
                {
                    return (
                        await http.GetAsync(new Uri("/health/ready", UriKind.Relative), TestContext.Current.CancellationToken)
                    ).IsSuccessStatusCode;
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            },
            () => "the embedded server is ready\n" + server.Log,
            TimeSpan.FromSeconds(60)
        );
        return server;
    }

    private static async Task SubmitAsync(HttpClient http, int from, int to)
    {
        for (var i = from; i < to; i++)
        {
            var job = new
            {
                topic = "job.exec.shell",
                labels = new { env = "dev" },
                idempotency_key = $"job-{i}",
                payload = new { command = new[] { "echo", $"{i}" } },
            };
            var answer = await http.PostAsJsonAsync("/api/jobs", job, TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        }
    }

    private static async Task<int> CountAsync(HttpClient http, string state)
    {
        var jobs = (await http.GetFromJsonAsync<JsonElement>("/api/status", TestContext.Current.CancellationToken)).GetProperty("jobs");
        return jobs.TryGetProperty(state, out var count) ? count.GetInt32() : 0;
    }

    /// <summary>Bytes whose number is not known before they are sent.</summary>
    private sealed class Unseekable(int length) : MemoryStream(new byte[length])
    {
        public override bool CanSeek => false;
    }
}
