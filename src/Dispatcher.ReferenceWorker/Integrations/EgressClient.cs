using System.Net;
using Microsoft.Extensions.Options;

namespace Dispatcher.ReferenceWorker.Integrations;

/// <summary>
/// Sends one request without following redirects, because the handler decides about each hop. It keeps no cookies, so that one job
/// never sees those of another. It ignores proxies of the environment, which would see the secrets of every call.
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
                // WebProxy bypasses the loopback address by itself.
                Proxy = proxy is null ? null : new WebProxy(proxy),
                PooledConnectionLifetime = TimeSpan.FromMinutes(2),
                ConnectTimeout = TimeSpan.FromSeconds(10),
            }
        )
        {
            // The token of the run limits the time.
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);

    public void Dispose() => _http.Dispose();
}
