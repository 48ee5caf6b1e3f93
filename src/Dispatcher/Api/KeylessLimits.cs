using System.Net;
using System.Net.Sockets;
using System.Threading.RateLimiting;
using Dispatcher.Audit.Gates;
using Dispatcher.Web;
using Microsoft.AspNetCore.Authorization;

namespace Dispatcher.Api;

/// <summary>
/// How often anybody without a key is answered: so many times a second for each client address. Who asks more often waits, and beyond a
/// queue is refused. The addresses are those of the connections: behind a proxy all clients share one.
/// </summary>
internal static class KeylessLimits
{
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// Health and gates come from memory. A queue for many: two hundred callers at one address still leave each its share.
    /// </summary>
    private static readonly Limit Cheap = new("cheap", PerPeriod: 100, Burst: 1_000, Queue: 2_000);

    /// <summary>The metrics and the description of the API are made for each request.</summary>
    private static readonly Limit Costly = new("costly", PerPeriod: 1, Burst: 20, Queue: 20);

    /// <summary>A key that this process has not seen costs a query, and may be a guess.</summary>
    private static readonly Limit NewKey = new("key", PerPeriod: 5, Burst: 200, Queue: 200);

    /// <summary>Where the description of the API is.</summary>
    public const string OpenApiRoute = "/openapi/{documentName}.json";

    private const int MostCostlyAtOnce = 4;

    public static void AddKeylessLimits(this IServiceCollection services) =>
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

                // A gate's script takes an error for no number, and no number for a pass.
                await (
                    GateEndpoints.Block(rejected.HttpContext, Reason)
                    ?? Problems.WriteAsync(
                        rejected.HttpContext,
                        StatusCodes.Status429TooManyRequests,
                        "Too many requests",
                        $"There are {Reason}; try again in a second."
                    )
                );
            };
        });

    /// <summary>The limit that the request falls under, and the address it counts for. Null: it comes with a key that is known.</summary>
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

        var isMade = (http.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText is MetricsExposition.Route or OpenApiRoute;
        var limit =
            needsKey ? NewKey
            : isMade ? Costly
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
                _ => new ConcurrencyLimiterOptions { PermitLimit = MostCostlyAtOnce, QueueLimit = 16 * MostCostlyAtOnce }
            )
            : RateLimitPartition.GetNoLimiter("");

    /// <summary>Of IPv6 the network of 64 bits: one client commonly has all of its addresses.</summary>
    private static string Address(IPAddress? address) =>
        address is null ? "local"
        : address is { AddressFamily: AddressFamily.InterNetworkV6, IsIPv4MappedToIPv6: false }
            ? Convert.ToHexString(address.GetAddressBytes().AsSpan(0, 8))
        : address.MapToIPv4().ToString();

    /// <summary>A bucket of tokens.</summary>
    /// <param name="Name">Tells the buckets of one address apart.</param>
    /// <param name="PerPeriod">Tokens for each <see cref="Period"/>.</param>
    /// <param name="Burst">Most tokens that gather.</param>
    /// <param name="Queue">Most requests that wait for a token.</param>
    internal sealed record Limit(string Name, int PerPeriod, int Burst, int Queue);
}
