using System.Net.Http.Headers;
using System.Net.Mime;
using System.Text;
using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Worker.RabbitMq;

namespace Dispatcher.CommandLine;

/// <summary>An HTTP answer of the server with any status. <see cref="Body"/> is undefined when the answer has no JSON body.</summary>
internal sealed record ApiAnswer(string Request, int Status, string Text, JsonElement Body)
{
    public bool IsSuccess => Status is >= 200 and <= 299;
}

/// <summary>Client of the HTTP API. Throws with <see cref="ExitCode.Unreachable"/> when no server answers.</summary>
internal sealed class ApiClient : IDisposable
{
    private readonly HttpClient _http;

    public ApiClient(Uri server, string key)
    {
        // No redirects: they would turn a POST into a GET. No proxy for loopback: the proxy would call its own machine.
        _http = new HttpClient(
            new SocketsHttpHandler
            {
                AllowAutoRedirect = false,
                UseProxy = !server.IsLoopback,
                SslOptions = ServerCertificate.Options(host: null),
            }
        )
        {
            BaseAddress = server,
            Timeout = TimeSpan.FromSeconds(30),
        };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        _http.DefaultRequestHeaders.Accept.ParseAdd("application/json, application/problem+json");
    }

    public Task<ApiAnswer> SubmitAsync(byte[] job, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, "api/jobs", job, cancellationToken);

    public Task<ApiAnswer> JobsAsync(Query query, CancellationToken cancellationToken) => GetAsync("api/jobs" + query, cancellationToken);

    public Task<ApiAnswer> JobAsync(Guid job, CancellationToken cancellationToken) => GetAsync($"api/jobs/{job}", cancellationToken);

    public Task<ApiAnswer> TimelineAsync(Guid job, CancellationToken cancellationToken) =>
        GetAsync($"api/jobs/{job}/timeline", cancellationToken);

    public Task<ApiAnswer> AttemptsAsync(Guid job, CancellationToken cancellationToken) =>
        GetAsync($"api/jobs/{job}/attempts", cancellationToken);

    public Task<ApiAnswer> CancelAsync(Guid job, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, $"api/jobs/{job}/cancel", null, cancellationToken);

    public Task<ApiAnswer> ApprovalsAsync(Query query, CancellationToken cancellationToken) =>
        GetAsync("api/approvals" + query, cancellationToken);

    public Task<ApiAnswer> ApprovalAsync(string approval, CancellationToken cancellationToken) =>
        GetAsync("api/approvals/" + Uri.EscapeDataString(approval), cancellationToken);

    public Task<ApiAnswer> VoteAsync(string approval, string verdict, byte[] vote, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, $"api/approvals/{Uri.EscapeDataString(approval)}/{verdict}", vote, cancellationToken);

    public Task<ApiAnswer> DeadLettersAsync(Query query, CancellationToken cancellationToken) =>
        GetAsync("api/dead-letters" + query, cancellationToken);

    public Task<ApiAnswer> DeadLetterAsync(Guid deadLetter, CancellationToken cancellationToken) =>
        GetAsync($"api/dead-letters/{deadLetter}", cancellationToken);

    public Task<ApiAnswer> IncidentAsync(Guid id, CancellationToken cancellationToken) =>
        GetAsync($"api/incidents/{id}", cancellationToken);

    public Task<ApiAnswer> CreateKeyAsync(byte[] key, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, "api/keys", key, cancellationToken);

    public Task<ApiAnswer> KeysAsync(CancellationToken cancellationToken) => GetAsync("api/keys", cancellationToken);

    public Task<ApiAnswer> RevokeKeyAsync(string keyId, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Delete, "api/keys/" + Uri.EscapeDataString(keyId), null, cancellationToken);

    public Task<ApiAnswer> WorkersAsync(CancellationToken cancellationToken) => GetAsync("api/workers", cancellationToken);

    public Task<ApiAnswer> ExplainAsync(Guid job, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, "api/policies/explain", JsonSerializer.SerializeToUtf8Bytes(new { job_id = job }), cancellationToken);

    public Task<ApiAnswer> DiffPoliciesAsync(byte[] bundles, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, "api/policies/diff", bundles, cancellationToken);

    public Task<ApiAnswer> FreezeAsync(byte[] freeze, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, "api/freezes", freeze, cancellationToken);

    public Task<ApiAnswer> UnfreezeAsync(byte[] freeze, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, "api/freezes/unfreeze", freeze, cancellationToken);

    public Task<ApiAnswer> FreezesAsync(CancellationToken cancellationToken) => GetAsync("api/freezes", cancellationToken);

    public Task<ApiAnswer> StatusAsync(CancellationToken cancellationToken) => GetAsync("api/status", cancellationToken);

    /// <summary>Whether the server is ready; needs no key. The status is 200 or 503, also when the database is unavailable.</summary>
    public Task<ApiAnswer> ReadinessAsync(CancellationToken cancellationToken) => GetAsync("health/ready", cancellationToken);

    public Task<ApiAnswer> PoliciesAsync(CancellationToken cancellationToken) => GetAsync("api/policies", cancellationToken);

    public Task<ApiAnswer> ActivatePolicyAsync(byte[] bundle, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, "api/policies/activate", bundle, cancellationToken);

    public Task<ApiAnswer> UnpinPolicyAsync(CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, "api/policies/unpin", null, cancellationToken);

    public void Dispose() => _http.Dispose();

    private Task<ApiAnswer> GetAsync(string path, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, path, null, cancellationToken);

    private async Task<ApiAnswer> SendAsync(HttpMethod method, string path, byte[]? json, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, path);
        if (json is not null)
        {
            request.Content = new ByteArrayContent(json)
            {
                Headers = { ContentType = new MediaTypeHeaderValue(MediaTypeNames.Application.Json) },
            };
        }

        var called = $"{method} {new Uri(_http.BaseAddress!, path)}";
        try
        {
            using var response = await _http.SendAsync(request, cancellationToken);
            var bytes = await response.Content.ReadAsByteArrayAsync(cancellationToken);
            return Read(called, (int)response.StatusCode, Encoding.UTF8.GetString(bytes));
        }
        catch (Exception failure)
            when (failure is HttpRequestException || (failure is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            var why = failure is HttpRequestException ? failure.Message : $"no answer within {_http.Timeout.TotalSeconds:0} s";
            var tls = ServerCertificate.FaultOf(failure);
            throw new ExitException(
                ExitCode.Unreachable,
                $"{called}: {tls?.Reason ?? why}",
                tls?.Fix ?? "Check that the server runs and that --url or DISPATCHER_URL names it, with https:// if it uses TLS."
            );
        }
    }

    private static ApiAnswer Read(string called, int status, string text)
    {
        JsonElement body = default;
        try
        {
            body = text.Length > 0 ? JsonDocument.Parse(text).RootElement : default;
        }
        catch (JsonException) when (status is < 200 or > 299)
        {
            // An error page of a proxy: the status is enough.
        }
        catch (JsonException)
        {
            throw new ExitException(
                ExitCode.Unreachable,
                $"{called}: the answer has status {status} and is not JSON.",
                "Another program listens at this address. Check --url or DISPATCHER_URL."
            );
        }

        return new ApiAnswer(called, status, text, body);
    }
}

/// <summary>A query string; parameters with the value null are left out.</summary>
internal sealed record Query(params (string Name, object? Value)[] Parts)
{
    public override string ToString()
    {
        var parts = Parts
            .Where(part => part.Value is not null)
            .Select(part => $"{part.Name}={Uri.EscapeDataString(FormattableString.Invariant($"{part.Value}"))}")
            .ToList();
        return parts.Count == 0 ? "" : "?" + string.Join('&', parts);
    }
}
