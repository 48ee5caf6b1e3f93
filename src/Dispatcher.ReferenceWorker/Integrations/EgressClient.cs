using System.Net;
using Microsoft.Extensions.Options;

namespace Dispatcher.ReferenceWorker.Integrations;

/// <summary>
/// Sends one request and follows nothing: each hop is the handler's decision. No cookies, so that one job never sees another's. No proxy
/// of the
/// environment: it would see the secrets of every call, and only the operator's own word sends them there.
/// </summary>
internal sealed class EgressClient : IDisposable
{
    private readonly HttpClient _http;

    public EgressClient(IOptions<ReferenceWorkerOptions> options)
    {
        var proxy = options.Value.EgressProxy;
        _http = new HttpClient(
            new SocketsHttpHandler
            {
                AllowAutoRedirect = false,
                UseCookies = false,
                UseProxy = proxy is not null,
                // It leaves out the loopback by itself.
                Proxy = proxy is null ? null : new WebProxy(proxy),
                PooledConnectionLifetime = TimeSpan.FromMinutes(2),
                ConnectTimeout = TimeSpan.FromSeconds(10),
            }
        )
        {
            // The run's token limits it.
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);

    public void Dispose() => _http.Dispose();
}
