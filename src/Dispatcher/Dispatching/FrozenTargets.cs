using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Dispatching;

/// <summary>
/// The targets of the freezes in force, for the selection of jobs. It may be older than the last freeze: the store checks each dispatch
/// again when it commits.
/// </summary>
internal sealed class FrozenTargets
{
    private readonly HashSet<string> _pools;
    private readonly bool _all;

    private FrozenTargets(IReadOnlyList<FreezeTarget> targets)
    {
        _all = targets.Any(target => target.Kind == FreezeKinds.All);
        _pools = targets.Where(target => target.Kind == FreezeKinds.Pool).Select(target => target.Name).ToHashSet(StringComparer.Ordinal);
        Topics = [.. targets.Where(target => target.Kind == FreezeKinds.Topic).Select(target => target.Name)];
    }

    public string[] Topics { get; }

    public bool Stops(string pool) => _all || _pools.Contains(pool);

    public static async Task<FrozenTargets> ReadAsync(DispatcherDb db, long now, CancellationToken cancellationToken) =>
        new(
            await db
                .Freezes.Where(Freeze.IsInForce(now))
                .Select(freeze => new FreezeTarget(freeze.Kind, freeze.Target))
                .ToListAsync(cancellationToken)
        );
}
