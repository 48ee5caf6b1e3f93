using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>Requests to an embedded server that it refuses or limits.</summary>
public sealed class EmbeddedRequestJourneys
{
    private static CancellationToken Now => TestContext.Current.CancellationToken;

    /// <summary>All callers have one address, so that the known caller shares its limit.</summary>
    [Fact]
    public async Task Gate_and_known_key_are_served_while_two_hundred_callers_without_a_key_send_requests()
    {
        var data = Directory.CreateTempSubdirectory("embedded-journey-").FullName;
        await using var server = await EmbeddedServer.StartAsync(data);
        using var keyless = new HttpClient { BaseAddress = new Uri(server.Address) };
        await server.SubmitAsync(from: 0, to: 1);
        await Eventually.IsAsync(
            async () => await server.CountAsync("succeeded") == 1,
            () => "the job ends\n" + server.Log,
            TimeSpan.FromSeconds(30)
        );
        await Eventually.IsAsync(
            async () => await RateAsync(keyless) == ("1", null),
            () => "the gate knows of it\n" + server.Log,
            TimeSpan.FromSeconds(30)
        );

        using var end = new CancellationTokenSource();
        string[] windows = ["1s", "599s", "11m", "5m", "15m", "1h", "6h", "24h", ""];
        var hammering = Enumerable
            .Range(0, 200)
            .Select(i => HammerAsync(keyless, j => $"/metrics/p95-latency-ms?window={windows[(i + j) % windows.Length]}", end.Token))
            .ToList();
        for (var i = 0; i < 20; i++)
        {
            Assert.Equal(("1", null), await RateAsync(keyless));
        }

        await end.CancelAsync();
        Assert.All(await Task.WhenAll(hammering), answers => Assert.Equal([HttpStatusCode.OK], answers.Distinct()));

        // Guesses may be refused. The caller whose key is known may not.
        var guesses = await Task.WhenAll(Enumerable.Range(0, 800).Select(i => StatusAsync(keyless, "/api/jobs", $"guess-{i}")));
        Assert.All(guesses, guess => Assert.True(guess is HttpStatusCode.Unauthorized or HttpStatusCode.TooManyRequests, $"{guess}"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(server.Http, "/api/jobs"));
        Directory.Delete(data, recursive: true);
    }

    /// <summary>The body, or the headers, never end. Each sends more than the 240 bytes a second that the HTTP server requires.</summary>
    [Theory]
    [InlineData("POST /api/jobs HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n", "5f\r\n", "\r\n")]
    [InlineData("GET /api/jobs HTTP/1.1\r\nHost: x\r\n", "X-Slow: ", "\r\n")]
    public async Task Server_stops_in_time_while_a_client_sends_a_request_that_does_not_end(string head, string before, string after)
    {
        var data = Directory.CreateTempSubdirectory("embedded-journey-").FullName;
        await using var server = await EmbeddedServer.StartAsync(data, "--no-worker");
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", new Uri(server.Address).Port, Now);
        var authorization = $"Content-Type: application/json\r\nAuthorization: Bearer {EmbeddedServer.Key}\r\n";
        await client.Client.SendAsync(Encoding.ASCII.GetBytes(head + authorization + (head[0] == 'P' ? "\r\n" : "")), Now);
        if (head[0] == 'P')
        {
            // "100 Continue": the server reads the body.
            Assert.Equal(1, await client.Client.ReceiveAsync(new byte[1], Now));
        }

        var sending = SendUntilClosedAsync(client, Encoding.ASCII.GetBytes(before + new string(' ', 95) + after));

        var began = Stopwatch.GetTimestamp();
        Assert.Equal(0, await server.StopAsync());

        Assert.True(Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(6 + 10), server.Log);
        Assert.DoesNotContain(" ERR ", server.Log, StringComparison.Ordinal);
        Assert.DoesNotContain("Failed to", server.Log, StringComparison.Ordinal);
        await sending;
        Directory.Delete(data, recursive: true);
    }

    /// <summary>Requests that the framework refuses, and what only a real request has: sizes, encodings, content types.</summary>
    [Fact]
    public async Task Refused_request_is_answered_with_what_was_seen_and_what_is_allowed()
    {
        var data = Directory.CreateTempSubdirectory("embedded-journey-").FullName;
        await using var server = await EmbeddedServer.StartAsync(data, "--no-worker");
        var http = server.Http;
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
                "The body is compressed with gzip (content type \"application/json\", content encoding \"gzip\"); "
                    + "compressed bodies are not read."
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
            (400, "The body is not JSON (content type \"application/x-www-form-urlencoded\"); allowed: a JSON object."),
            await RefusedAsync(http, "/api/jobs", form)
        );
        Assert.Equal(
            (415, "Seen: \"application/x-www-form-urlencoded\"; allowed: application/json."),
            await RefusedAsync(http, "/api/keys", keyForm)
        );
        Assert.Equal(
            (404, "There is no such path, or an id in it has the wrong form (the id of a job is a UUID). /openapi/v1.json has all paths."),
            await DetailAsync(http, HttpMethod.Get, "/api/jobs/not-a-uuid")
        );
        Assert.Equal((405, "The path does not take DELETE; allowed: GET, POST."), await DetailAsync(http, HttpMethod.Delete, "/api/jobs"));
        Assert.Equal(HttpStatusCode.BadRequest, await StatusAsync(http, "/api/jobs?class=terminal"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(http, "/api/jobs?state=held"));
        Directory.Delete(data, recursive: true);
    }

    private static async Task<(int Status, string? Message)> RefusedAsync(HttpClient http, string path, HttpContent body)
    {
        using var answer = await http.PostAsync(new Uri(path, UriKind.Relative), body, Now);
        var problem = await answer.Content.ReadFromJsonAsync<JsonElement>(Now);
        Assert.True(problem.TryGetProperty("errors", out var errors), problem.GetRawText());
        return ((int)answer.StatusCode, errors[0].GetProperty("message").GetString());
    }

    private static async Task<(int Status, string? Detail)> DetailAsync(HttpClient http, HttpMethod method, string path)
    {
        using var request = new HttpRequestMessage(method, path);
        using var answer = await http.SendAsync(request, TestContext.Current.CancellationToken);
        var problem = await answer.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
        return ((int)answer.StatusCode, problem.GetProperty("detail").GetString());
    }

    private static async Task SendUntilClosedAsync(TcpClient client, byte[] part)
    {
        try
        {
            while (true)
            {
                await client.Client.SendAsync(part, Now);
                await Task.Delay(TimeSpan.FromSeconds(0.3), Now);
            }
        }
        catch (SocketException)
        {
            // The server closed the connection.
        }
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
        using var answer = await http.SendAsync(request, Now);
        return answer.StatusCode;
    }

    private static async Task<(string Rate, string? NoData)> RateAsync(HttpClient http)
    {
        using var answer = await http.GetAsync(new Uri("/metrics/success-rate?window=10m", UriKind.Relative), Now);
        return (
            await answer.Content.ReadAsStringAsync(Now),
            answer.Headers.TryGetValues("Dispatcher-No-Data-Reason", out var why) ? string.Join("; ", why) : null
        );
    }

    /// <summary>Bytes whose number is not known before they are sent.</summary>
    private sealed class Unseekable(int length) : MemoryStream(new byte[length])
    {
        public override bool CanSeek => false;
    }
}
