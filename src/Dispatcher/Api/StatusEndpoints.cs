using System.Security.Claims;
using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.Dispatching;
using Dispatcher.Enforcement;
using Dispatcher.Storage;
using Dispatcher.Web;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Api;

/// <summary>The state of the server, for operators.</summary>
internal sealed record StatusView(string Version, bool Ready, IReadOnlyDictionary<string, string> Checks, string PolicyHash)
{
    /// <summary>The subject that pinned the bundle in force. Null: it is not pinned and follows the policy folders.</summary>
    public string? PinnedBy { get; init; }

    /// <summary>Number of jobs by state. Null, like the next two: the database is unavailable.</summary>
    public IReadOnlyDictionary<string, int>? Jobs { get; init; }

    public OutboxView? Outbox { get; init; }

    public IReadOnlyDictionary<string, PoolView>? Pools { get; init; }

    /// <summary>Conditions that an operator should correct although the server is ready. Empty: none.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>Messages on the broker that had no route. Null: an embedded server has no broker.</summary>
    public UnroutedCount? Unrouted { get; init; }
}

/// <summary>Messages that wait to be sent. An operator must resolve a parked message.</summary>
internal sealed record OutboxView(int Waiting, int Parked);

/// <summary>
/// <c>/health/live</c> and <c>/health/ready</c> without a key, <c>/api/status</c> with one. Only operators and admins see the full texts.
/// </summary>
internal static class StatusEndpoints
{
    public static readonly string Version = typeof(StatusEndpoints).Assembly.GetName().Version!.ToString(3);

    public static void MapStatus(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/health/live", () => Results.Ok(new { status = "live" })).WithTags("health");
        routes
            .MapGet(
                "/health/ready",
                (Readiness readiness) =>
                    Results.Json(
                        new { ready = readiness.IsReady, checks = readiness.ShortChecks },
                        statusCode: readiness.IsReady ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable
                    )
            )
            .WithTags("health");
        routes.MapGet("/api/status", StatusAsync).RequireAuthorization(Callers.Anyone).WithTags("status").Produces<StatusView>();
    }

    private static async Task<IResult> StatusAsync(
        HttpContext http,
        ClaimsPrincipal caller,
        Readiness readiness,
        CurrentBundle current,
        PoolMonitor pools,
        WorkerProblems problems,
        Freezes freezes,
        IServiceProvider services,
        IDbContextFactory<DispatcherDb> database
    )
    {
        List<string> warnings = [.. Warnings(services)];
        var status = new StatusView(
            Version,
            readiness.IsReady,
            caller.IsInRole(Role.Operator) || caller.IsInRole(Role.Admin) ? readiness.Checks : readiness.ShortChecks,
            current.InForce.Hash
        )
        {
            PinnedBy = current.InForce.PinnedBy,
            Warnings = warnings,
            Unrouted = services.GetService<RabbitTopology>()?.Unrouted,
        };
        try
        {
            using var limit = StoreTimeouts.Begin(http);
            warnings.InsertRange(
                0,
                (await freezes.InForceAsync(limit.Token)).Select(freeze =>
                    $"The dispatch of {FreezeTarget.Of(freeze).Words} is frozen {FreezeEndpoints.Terms(freeze)}"
                )
            );
            warnings.AddRange(await problems.ListAsync(limit.Token));
            return Results.Ok(await CountedAsync(status, pools, database, limit.Token));
        }
        catch (Exception fault) when (fault.IsOfStore(http))
        {
            // An operator needs the other fields just during an outage.
            warnings.Add("Jobs, outbox and pools are unknown, because the database is unavailable.");
            return Results.Ok(status);
        }
    }

    private static async Task<StatusView> CountedAsync(
        StatusView status,
        PoolMonitor pools,
        IDbContextFactory<DispatcherDb> database,
        CancellationToken cancellationToken
    )
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var states = await db
            .Jobs.GroupBy(job => job.State)
            .Select(group => new { group.Key, Count = group.Count() })
            .ToListAsync(cancellationToken);
        return status with
        {
            Jobs = states.ToDictionary(state => WireNames.Of(state.Key), state => state.Count),
            Outbox = new OutboxView(
                await db.Outbox.CountAsync(message => !message.Parked, cancellationToken),
                await db.Outbox.CountAsync(message => message.Parked, cancellationToken)
            ),
            Pools = await pools.ReadAsync(cancellationToken),
        };
    }

    private static IEnumerable<string> Warnings(IServiceProvider services)
    {
        // The embedded server has no broker.
        if (services.GetService<BrokerLimit>()?.Warning is { } warning)
        {
            yield return warning;
        }

        if (services.GetService<RabbitConnection>()?.Blocked is { } alarm)
        {
            yield return $"The broker accepts no messages ({alarm}). Work, events and answers wait in the outbox until its alarm ends.";
        }

        if (services.GetService<RabbitTopology>()?.PoolsWithoutQueue is { Count: > 0 } pools)
        {
            yield return "Pools of the policy in force without a queue on the broker: "
                + $"{string.Join(", ", pools)}. Their jobs wait until the server has declared it.";
        }
    }
}
