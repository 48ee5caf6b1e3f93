using System.Net;
using System.Net.Sockets;
using System.Threading.RateLimiting;
using Dispatcher.Audit.Gates;
using Dispatcher.Web;
using Microsoft.AspNetCore.Authorization;

namespace Dispatcher.Api;

/// <summary>
/// Limits the rate of requests without a known key, for each client address. A request over the rate waits in a queue, and gets 429 when
/// the queue is full. The address is that of the connection: behind a proxy all clients share one.
/// </summary>
internal static class AnonymousRateLimits
{
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// Health and gates are answered from memory. The queue is long enough for 200 callers at one address.
    /// </summary>
    private static readonly Limit Cheap = new("cheap", PerPeriod: 100, Burst: 1_000, Queue: 2_000);

    /// <summary>The metrics and the description of the API are computed for each request.</summary>
    private static readonly Limit Costly = new("costly", PerPeriod: 1, Burst: 20, Queue: 20);

    /// <summary>A key that this process does not know costs a query, and may be a guess.</summary>
    private static readonly Limit NewKey = new("key", PerPeriod: 5, Burst: 200, Queue: 200);

    /// <summary>The route of the description of the API.</summary>
    public const string OpenApiRoute = "/openapi/{documentName}.json";

    private const int MaxConcurrentCostly = 4;

    public static void AddAnonymousRateLimits(this IServiceCollection services) =>
        services.AddRateLimiter(limiter =>
        {
            limiter.GlobalLimiter = PartitionedRateLimiter.CreateChained(
                PartitionedRateLimiter.Create<HttpContext, string>(ByAddress),
                PartitionedRateLimiter.Create<HttpContext, string>(AtOnce)
            );
            limiter.OnRejected = async (rejected, _) =>
            {
                const string Reason = "too many requests from this address";
                rejected.HttpContext.Response.Headers.RetryAfter = "1";

                // The script of a gate reads an error as a missing number, and a missing number as a pass: so a gate answers with a
                // blocking number.
                await (
                    GateEndpoints.Block(rejected.HttpContext, Reason)
                    ?? Problems.WriteAsync(
                        rejected.HttpContext,
                        StatusCodes.Status429TooManyRequests,
                        "Too many requests",
                        $"The server refuses {Reason}. Send the request again in 1 s."
                    )
                );
            };
        });

    /// <summary>The limit of the request, and the address that it counts for. Null: the request has a known key and no limit.</summary>
    internal static (Limit Limit, string Address)? Of(HttpContext http)
    {
        var needsKey = http.GetEndpoint()?.Metadata.GetMetadata<IAuthorizeData>() is not null;
        if (
            needsKey
            && ApiKeyAuthentication.SecretOf(http.Request) is { } secret
            && http.RequestServices.GetRequiredService<ApiKeys>().HasFound(secret)
        )
        {
            return null;
        }

        var isComputed = (http.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText is MetricsExposition.Route or OpenApiRoute;
        var limit =
            needsKey ? NewKey
            : isComputed ? Costly
            : Cheap;
        return (limit, Address(http.Connection.RemoteIpAddress));
    }

    private static RateLimitPartition<string> ByAddress(HttpContext http) =>
        Of(http) is not var (limit, address)
            ? RateLimitPartition.GetNoLimiter("")
            : RateLimitPartition.GetTokenBucketLimiter(
                $"{limit.Name} {address}",
                _ => new TokenBucketRateLimiterOptions
                {
                    TokensPerPeriod = limit.PerPeriod,
                    ReplenishmentPeriod = Period,
                    TokenLimit = limit.Burst,
                    QueueLimit = limit.Queue,
                    QueueProcessingOrder = QueueProcessingOrder.OldestFirst,
                }
            );

    private static RateLimitPartition<string> AtOnce(HttpContext http) =>
        Of(http)?.Limit == Costly
            ? RateLimitPartition.GetConcurrencyLimiter(
                "costly",
                _ => new ConcurrencyLimiterOptions { PermitLimit = MaxConcurrentCostly, QueueLimit = 16 * MaxConcurrentCostly }
            )
            : RateLimitPartition.GetNoLimiter("");

    /// <summary>For IPv6 the network of 64 bits, because one client usually has all of its addresses.</summary>
    private static string Address(IPAddress? address) =>
        address is null ? "local"
        : address is { AddressFamily: AddressFamily.InterNetworkV6, IsIPv4MappedToIPv6: false }
            ? Convert.ToHexString(address.GetAddressBytes().AsSpan(0, 8))
        : address.MapToIPv4().ToString();

    /// <summary>A token bucket.</summary>
    /// <param name="Name">Distinguishes the buckets of one address.</param>
    /// <param name="PerPeriod">Tokens for each <see cref="Period"/>.</param>
    /// <param name="Burst">Maximum number of tokens.</param>
    /// <param name="Queue">Maximum number of requests that wait for a token.</param>
    internal sealed record Limit(string Name, int PerPeriod, int Burst, int Queue);
}
