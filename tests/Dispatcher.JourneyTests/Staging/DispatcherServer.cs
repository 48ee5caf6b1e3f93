using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>A server on RabbitMQ and PostgreSQL, and its HTTP side as an admin sees it.</summary>
internal abstract class DispatcherServer(string address, JourneyTls? tls = null) : RunningProgram
{
    public const string AdminKey = "journey-admin-key-0123456789";

    private readonly HttpClient _admin = NewClient(address, AdminKey, tls);

    public string Address => address;

    public HttpClient Client(string key) => NewClient(address, key, tls);

    public Task ReadyAsync() =>
        Eventually.IsAsync(
            async () =>
                HasEnded
                    ? throw new InvalidOperationException($"{Name} has ended.\n{Log}")
                    : await ReadinessAsync() is (HttpStatusCode.OK, _),
            () => "the dispatcher is ready\n" + Log,
            TimeSpan.FromSeconds(60)
        );

    /// <summary>Status and body of <c>/health/ready</c>; null while the server does not answer.</summary>
    public async Task<(HttpStatusCode Status, JsonElement Body)?> ReadinessAsync()
    {
        try
        {
            using var answer = await _admin.GetAsync(new Uri("/health/ready", UriKind.Relative), Now);
            return (answer.StatusCode, await answer.Content.ReadFromJsonAsync<JsonElement>(Now));
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    public Task<string> MakeKeyAsync(string subject, params string[] roles) => MakeKeyAsync(subject, subject, roles, []);

    public async Task<string> MakeKeyAsync(string subject, string person, string[] roles, string[] groups)
    {
        using var answer = await _admin.PostAsJsonAsync(
            "/api/keys",
            new
            {
                subject,
                person,
                roles,
                groups,
            },
            Now
        );
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        return (await answer.Content.ReadFromJsonAsync<JsonElement>(Now)).GetProperty("key").GetString()!;
    }

    /// <summary>Names a person who is responsible for a principal.</summary>
    public async Task BindAsync(string principal, string person) =>
        Assert.Equal(
            HttpStatusCode.Created,
            (
                await SendAsync(
                    HttpMethod.Post,
                    "/api/keys",
                    JsonSerializer.SerializeToUtf8Bytes(
                        new
                        {
                            subject = principal,
                            person,
                            roles = Array.Empty<string>(),
                        }
                    )
                )
            ).Status
        );

    public Task<(HttpStatusCode Status, JsonElement Body)> SubmitAsync(byte[] body, string? key = null) =>
        SendAsync(HttpMethod.Post, "/api/jobs", body, key);

    public Task<(HttpStatusCode Status, JsonElement Body)> CancelAsync(Guid jobId) =>
        SendAsync(HttpMethod.Post, $"/api/jobs/{jobId}/cancel", []);

    /// <summary>Revokes every key of a subject.</summary>
    public async Task RevokeAsync(string subject)
    {
        foreach (
            var key in (await SendAsync(HttpMethod.Get, "/api/keys"))
                .Body.GetProperty("items")
                .EnumerateArray()
                .Where(key => key.GetProperty("subject").GetString() == subject)
        )
        {
            await SendAsync(HttpMethod.Delete, $"/api/keys/{key.GetProperty("key_id").GetString()}");
        }
    }

    /// <summary>The last round of a job's approval, as the owner of the key sees it.</summary>
    public async Task<JsonElement> ApprovalAsync(Guid jobId, string? key = null) =>
        (await SendAsync(HttpMethod.Get, $"/api/approvals/{jobId}", key: key)).Body;

    /// <summary>Votes on exactly what is shown, or on another job hash.</summary>
    public async Task<(HttpStatusCode Status, JsonElement Body)> VoteAsync(Guid jobId, string verdict, string key, string? jobHash = null)
    {
        var shown = await ApprovalAsync(jobId, key);
        var vote = JsonSerializer.SerializeToUtf8Bytes(
            new
            {
                job_hash = jobHash ?? shown.GetProperty("job_hash").GetString(),
                policy_hash = shown.GetProperty("policy_hash").GetString(),
                view_hash = shown.GetProperty("view_hash").GetString(),
                reason = "looked at it",
            }
        );
        return await SendAsync(HttpMethod.Post, $"/api/approvals/{shown.GetProperty("approval_id").GetString()}/{verdict}", vote, key);
    }

    public async Task<JsonElement> PoliciesAsync() => (await SendAsync(HttpMethod.Get, "/api/policies")).Body;

    public Task<(HttpStatusCode Status, JsonElement Body)> PinAsync(string hash) =>
        SendAsync(HttpMethod.Post, "/api/policies/activate", JsonSerializer.SerializeToUtf8Bytes(new { hash }));

    public Task<(HttpStatusCode Status, JsonElement Body)> UnpinAsync() => SendAsync(HttpMethod.Post, "/api/policies/unpin", []);

    public async Task<JsonElement> JobAsync(Guid jobId) => (await SendAsync(HttpMethod.Get, $"/api/jobs/{jobId}")).Body;

    public async Task<string> StateAsync(Guid jobId) =>
        (await SendAsync(HttpMethod.Get, $"/api/jobs/{jobId}")) is (HttpStatusCode.OK, var job)
            ? job.GetProperty("state").GetString()!
            : "";

    public Task InStateAsync(Guid jobId, string state, int seconds = 30) =>
        Eventually.IsAsync(
            async () => await StateAsync(jobId) == state,
            () => $"job {jobId} is {state}\n{Log}",
            TimeSpan.FromSeconds(seconds)
        );

    public async Task<IReadOnlyList<string>> TimelineAsync(Guid jobId) =>
        [
            .. (await SendAsync(HttpMethod.Get, $"/api/jobs/{jobId}/timeline"))
                .Body.GetProperty("items")
                .EnumerateArray()
                .Select(entry => entry.GetProperty("kind").GetString()!),
        ];

    /// <summary>Every dead letter, page by page.</summary>
    public async Task<IReadOnlyList<JsonElement>> DeadLettersAsync()
    {
        var all = new List<JsonElement>();
        for (var cursor = ""; cursor is not null; )
        {
            var page = (
                await SendAsync(HttpMethod.Get, $"/api/dead-letters?limit=200{(cursor.Length == 0 ? "" : "&cursor=" + cursor)}")
            ).Body;
            all.AddRange(page.GetProperty("items").EnumerateArray());
            cursor = page.GetProperty("next").GetString();
        }

        return all;
    }

    public async Task<(HttpStatusCode Status, JsonElement Body)> SendAsync(
        HttpMethod method,
        string path,
        byte[]? body = null,
        string? key = null
    )
    {
        using var request = new HttpRequestMessage(method, path)
        {
            Content = body is null
                ? null
                : new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } },
        };
        if (key is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        }

        using var answer = await _admin.SendAsync(request, Now);
        var text = await answer.Content.ReadAsByteArrayAsync(Now);
        return (answer.StatusCode, text.Length == 0 ? default : JsonSerializer.Deserialize<JsonElement>(text));
    }

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    private static HttpClient NewClient(string address, string key, JourneyTls? tls) =>
        new(tls?.Handler() ?? new SocketsHttpHandler())
        {
            BaseAddress = new Uri(address),
            DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", key) },
        };
}
