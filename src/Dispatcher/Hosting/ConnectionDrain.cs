using Dispatcher.Web;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;

namespace Dispatcher.Hosting;

/// <summary>
/// Aborts the HTTP connections that are still open <see cref="Max"/> after the stop began. Kestrel waits for each request until the time
/// of the whole stop is over. A client that sends or reads slowly would use up the time that the other services need to stop.
/// </summary>
internal sealed class ConnectionDrain : IConfigureOptions<KestrelServerOptions>, IDisposable
{
    /// <summary>A request that writes waits at most <see cref="StoreTimeouts.Max"/> for the store. The rest is for its answer.</summary>
    private static readonly TimeSpan Max = StoreTimeouts.Max + TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _over;

    public ConnectionDrain(IHostApplicationLifetime lifetime, TimeProvider time)
    {
        _over = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        lifetime.ApplicationStopping.Register(() => _over.CancelAfter(Max));
    }

    public void Configure(KestrelServerOptions options) =>
        options.ConfigureEndpointDefaults(endpoint =>
            endpoint.Use(next =>
                async connection =>
                {
                    await using var registration = _over.Token.Register(connection.Abort);
                    await next(connection);
                }
            )
        );

    public void Dispose() => _over.Dispose();
}
