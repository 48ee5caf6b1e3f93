using Dispatcher.Base;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Dispatching;

/// <summary>
/// Stops the dispatch of a topic, of a pool or of everything, for a limited time. The store refuses a dispatch that a freeze stops, and
/// writes no freeze while a dispatch is being committed: after the answer, no attempt of the target is dispatched. Attempts that were
/// dispatched before go on. The jobs stay in their backlog; <see cref="PoolBacklog"/> leaves them out, so that they block no others.
/// </summary>
internal sealed class Freezes(IStore store, IDbContextFactory<DispatcherDb> database, PoolBacklog backlog, DispatchSignals signals)
{
    /// <summary>A freeze ends by itself, because a forgotten one would stop the jobs without a limit.</summary>
    public static readonly TimeSpan MaxDuration = TimeSpan.FromDays(7);

    /// <summary>Maximum number of ended and expired freezes in the list. The timeline has all.</summary>
    private const int MaxPast = 50;

    /// <summary>
    /// Freezes the target. Returns the new freeze, or the one that stops the target already, which is not changed.
    /// </summary>
    public async Task<(Freeze Freeze, bool IsNew)> BeginAsync(FreezeOrder order, CancellationToken cancellationToken)
    {
        Freeze? first = null;
        var written = await store.ChangeFreezesAsync(
            (inForce, now) => (first = inForce.FirstOrDefault(order.Target.Is)) is null ? new FreezeChange(order.At(now)) : null,
            cancellationToken
        );
        return (written?.Freeze ?? first!, written is not null);
    }

    /// <summary>Ends the freeze of exactly this target, and dispatches what waited. Null: the target is not frozen.</summary>
    public async Task<Freeze?> EndAsync(FreezeTarget target, string reason, string actor, CancellationToken cancellationToken)
    {
        var written = await store.ChangeFreezesAsync(
            (inForce, now) =>
                inForce.FirstOrDefault(target.Is) is { } freeze
                    ? new FreezeChange(freeze with { EndedAt = now, EndedBy = actor, EndReason = reason })
                    : null,
            cancellationToken
        );
        if (written is not null)
        {
            // The sweep would do it within a second.
            signals.Signal(backlog.Known);
        }

        return written?.Freeze;
    }

    /// <summary>The freezes in force, oldest first.</summary>
    public async Task<IReadOnlyList<Freeze>> InForceAsync(CancellationToken cancellationToken)
    {
        var now = await store.NowAsync(cancellationToken);
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        return await db
            .Freezes.AsNoTracking()
            .Where(Freeze.IsInForce(now))
            .OrderBy(freeze => freeze.Since)
            .ThenBy(freeze => freeze.FreezeId)
            .ToListAsync(cancellationToken);
    }

    /// <summary>The freezes in force, oldest first, and the last ones that ended or expired, newest first.</summary>
    public async Task<(IReadOnlyList<Freeze> InForce, IReadOnlyList<Freeze> Past)> ListAsync(CancellationToken cancellationToken)
    {
        var inForce = await InForceAsync(cancellationToken);
        var ids = inForce.Select(freeze => freeze.FreezeId).ToList();
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var past = await db
            .Freezes.AsNoTracking()
            .Where(freeze => !ids.Contains(freeze.FreezeId))
            .OrderByDescending(freeze => freeze.Since)
            .Take(MaxPast)
            .ToListAsync(cancellationToken);
        return (inForce, past);
    }
}

/// <summary>A freeze that a person asks for.</summary>
/// <param name="Target">What it stops.</param>
/// <param name="Reason">For the readers of status and timeline.</param>
/// <param name="Actor">The subject of the API key.</param>
/// <param name="Until">When it expires. Null: after <paramref name="Duration"/> by the database's clock.</param>
/// <param name="Duration">How long it holds, if <paramref name="Until"/> is null.</param>
internal sealed record FreezeOrder(FreezeTarget Target, string Reason, string Actor, DateTimeOffset? Until, TimeSpan Duration)
{
    public Freeze At(long now) =>
        new()
        {
            FreezeId = Guid.CreateVersion7(Timestamps.At(now)),
            Kind = Target.Kind,
            Target = Target.Name,
            Reason = Reason,
            Actor = Actor,
            Since = now,
            Until = Until is { } until ? Timestamps.Micros(until) : now + Timestamps.Micros(Duration),
        };
}
