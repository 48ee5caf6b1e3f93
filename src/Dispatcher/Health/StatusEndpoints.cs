using System.Security.Claims;
using Dispatcher.Dispatching;
using Dispatcher.Judging;
using Dispatcher.Keys;
using Dispatcher.Messaging;
using Dispatcher.Storing;
using Dispatcher.Workers;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Health;

/// <summary>What an operator looks at first.</summary>
internal sealed record StatusView(
    string Version, bool Ready, IReadOnlyDictionary<string, string> Checks, string PolicyHash, IReadOnlyDictionary<string, int> Jobs, OutboxView Outbox, IReadOnlyDictionary<string, PoolView> Pools)
{
    /// <summary>What an operator should change although the server is ready. Empty: nothing.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];
}

/// <summary>How much waits to be sent; a parked message waits for a person.</summary>
internal sealed record OutboxView(int Waiting, int Parked);

/// <summary><c>/health/live</c> and <c>/health/ready</c> without a key, <c>/api/status</c> with one. What is wrong in full is for operators and admins.</summary>
internal static class StatusEndpoints
{
    public static readonly string Version = typeof(StatusEndpoints).Assembly.GetName().Version!.ToString(3);

    public static void MapStatus(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/health/live", () => Results.Ok(new { status = "live" })).WithTags("health");
        routes.MapGet("/health/ready", (Readiness readiness) => Results.Json(
            new { ready = readiness.IsReady, checks = readiness.ShortChecks },
            statusCode: readiness.IsReady ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable)).WithTags("health");
        routes.MapGet("/api/status", StatusAsync).RequireAuthorization(Callers.Anyone).WithTags("status").Produces<StatusView>();
    }

    private static async Task<IResult> StatusAsync(ClaimsPrincipal caller, Readiness readiness, CurrentBundle current, PoolWatch pools, WorkerTroubles troubles, IServiceProvider services, IDbContextFactory<DispatcherDb> database, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var states = await db.Jobs.GroupBy(job => job.State).Select(group => new { group.Key, Count = group.Count() }).ToListAsync(cancellationToken);
        return Results.Ok(new StatusView(
            Version,
            readiness.IsReady,
            caller.IsInRole(Role.Operator) || caller.IsInRole(Role.Admin) ? readiness.Checks : readiness.ShortChecks,
            current.InForce.Hash,
            states.ToDictionary(state => WireNames.Of(state.Key), state => state.Count),
            new OutboxView(await db.Outbox.CountAsync(message => !message.Parked, cancellationToken), await db.Outbox.CountAsync(message => message.Parked, cancellationToken)),
            await pools.LookAsync(cancellationToken))
        {
            // The embedded server has no broker.
            Warnings =
            [
                .. services.GetService<BrokerLimit>()?.Warning is { } warning ? [warning] : (string[])[],
                .. await troubles.ListAsync(cancellationToken),
            ],
        });
    }
}
