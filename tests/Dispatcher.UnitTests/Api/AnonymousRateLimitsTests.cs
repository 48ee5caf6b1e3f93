using System.Net;
using System.Threading.RateLimiting;
using Dispatcher.Api;
using Dispatcher.UnitTests.Hosting;
using Dispatcher.Web;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.Options;

namespace Dispatcher.UnitTests.Api;

/// <summary>Routes without a key have a rate limit for each address.</summary>
public sealed class AnonymousRateLimitsTests
{
    [Theory]
    [InlineData("/health/live", "cheap")]
    [InlineData("/metrics/success-rate", "cheap")]
    [InlineData("/metrics", "costly")]
    [InlineData("/openapi/{documentName}.json", "costly")]
    [InlineData("/api/workers", "key")]
    [InlineData(null, "cheap")]
    public async Task Each_keyless_route_has_a_rate_limit_for_each_address(string? route, string limit)
    {
        await using var server = await AServer.MigratedAsync();
        var limiter = server.Get<IOptions<RateLimiterOptions>>().Value.GlobalLimiter!;

        var http = Request(server, route, "192.0.2.1");

        // Made once: the loop must be much faster than tokens come back.
        var first = Enumerable.Range(0, 20_000).TakeWhile(_ => Acquired(limiter, http)).Count();

        Assert.Equal(limit, AnonymousRateLimits.Of(http)!.Value.Limit.Name);
        Assert.InRange(first, 1, 19_999);
        Assert.True(Acquired(limiter, Request(server, route, "192.0.2.2")));
    }

    [Theory]
    [InlineData("192.0.2.1", "::ffff:192.0.2.1", true)]
    [InlineData("2001:db8::1", "2001:db8::ffff:1", true)]
    [InlineData("2001:db8::1", "2001:db8:0:1::1", false)]
    public async Task Limit_counts_an_IPv4_address_or_an_IPv6_network(string one, string other, bool same)
    {
        await using var server = await AServer.MigratedAsync();

        var (first, second) = (AnonymousRateLimits.Of(Request(server, null, one)), AnonymousRateLimits.Of(Request(server, null, other)));

        Assert.Equal(same, first!.Value.Address == second!.Value.Address);
    }

    [Fact]
    public async Task Request_with_a_known_key_is_not_rate_limited_and_one_with_an_unknown_key_is()
    {
        await using var server = await AServer.MigratedAsync();
        var keys = server.Get<ApiKeys>();
        var (_, secret) = await keys.CreateAsync(
            new KeyRequest { Subject = "billing", Roles = [Role.Producer] },
            TestContext.Current.CancellationToken
        );
        Assert.NotNull(AnonymousRateLimits.Of(Request(server, "/api/workers", "192.0.2.1", secret)));

        await keys.FindAsync(secret, TestContext.Current.CancellationToken);
        await keys.FindAsync("guess", TestContext.Current.CancellationToken);

        Assert.Null(AnonymousRateLimits.Of(Request(server, "/api/workers", "192.0.2.1", secret)));
        Assert.NotNull(AnonymousRateLimits.Of(Request(server, "/api/workers", "192.0.2.1", "guess")));
    }

    private static bool Acquired(PartitionedRateLimiter<HttpContext> limiter, HttpContext http)
    {
        using var lease = limiter.AttemptAcquire(http);
        return lease.IsAcquired;
    }

    private static DefaultHttpContext Request(AServer server, string? route, string address, string? secret = null)
    {
        var http = new DefaultHttpContext { RequestServices = server.Get<IServiceProvider>() };
        http.Connection.RemoteIpAddress = IPAddress.Parse(address);
        http.SetEndpoint(route is null ? null : server.Endpoint(route));
        if (secret is not null)
        {
            http.Request.Headers.Authorization = "Bearer " + secret;
        }

        return http;
    }
}
