using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Serialization.Metadata;
using Dispatcher.Contracts;
using Dispatcher.Worker.Pools;

namespace Dispatcher.Worker.RabbitMq;

/// <summary>
/// Claims and heartbeats over HTTP. Throws when the dispatcher is unavailable or refuses the request; the caller retries.
/// </summary>
internal sealed class AttemptsApi : IDisposable
{
    private const int MaxErrorText = 500;

    private readonly HttpClient _http;

    public AttemptsApi(Uri dispatcher, string apiKey)
    {
        _http = new HttpClient(
            new SocketsHttpHandler
            {
                // The client resolves the name again after this time and so finds a dispatcher that has moved.
                PooledConnectionLifetime = TimeSpan.FromMinutes(2),
                ConnectTimeout = TimeSpan.FromSeconds(5),
                // The key must reach no other host.
                AllowAutoRedirect = false,
                // A proxy would connect to its own loopback address, not to that of this machine.
                UseProxy = !dispatcher.IsLoopback,
                SslOptions = ServerCertificate.Options(host: null),
            }
        )
        {
            BaseAddress = new Uri(dispatcher.AbsoluteUri.TrimEnd('/') + "/"),
            Timeout = TimeSpan.FromSeconds(10),
        };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", apiKey);
    }

    public Task<ClaimAnswer> ClaimAsync(ClaimRequest request, CancellationToken cancellationToken) =>
        PostAsync("api/attempts/claim", request, WireJson.Default.ClaimRequest, WorkerJson.Default.ClaimAnswer, cancellationToken);

    /// <exception cref="WorkerNotAllowedException">The key's subject is not the broker user.</exception>
    public async Task<HeartbeatAnswer> HeartbeatAsync(HeartbeatRequest request, string brokerUser, CancellationToken cancellationToken)
    {
        var answer = await PostAsync(
            "api/attempts/heartbeat",
            request,
            WireJson.Default.HeartbeatRequest,
            WorkerJson.Default.HeartbeatAnswer,
            cancellationToken
        );
        return answer.Subject is null || answer.Subject == brokerUser
            ? answer
            : throw new WorkerNotAllowedException(
                $"The key's subject is {answer.Subject}, and the broker user is {brokerUser}: the dispatcher accepts outcomes only from "
                    + $"the broker user that the key names. Create a key with: dispatcher keys create --subject {brokerUser} --role worker"
            );
    }

    public void Dispose() => _http.Dispose();

    private async Task<TAnswer> PostAsync<TRequest, TAnswer>(
        string path,
        TRequest request,
        JsonTypeInfo<TRequest> requestType,
        JsonTypeInfo<TAnswer> answerType,
        CancellationToken cancellationToken
    )
    {
        using var response = await _http.PostAsJsonAsync(path, request, requestType, cancellationToken);
        if (!response.IsSuccessStatusCode)
        {
            var text = await response.Content.ReadAsStringAsync(cancellationToken);
            throw new HttpRequestException(
                $"{_http.BaseAddress}{path} answered {(int)response.StatusCode}: {text[..Math.Min(text.Length, MaxErrorText)]}",
                null,
                response.StatusCode
            );
        }

        return await response.Content.ReadFromJsonAsync(answerType, cancellationToken)
            ?? throw new InvalidDataException($"{_http.BaseAddress}{path} answered null.");
    }
}
