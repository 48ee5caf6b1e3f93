using System.Text.RegularExpressions;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Policies;
using Dispatcher.Storage;
using Dispatcher.Web;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Enforcement;

/// <summary>The bundles that were in force once, found by hash.</summary>
internal sealed partial class StoredBundles(IDbContextFactory<DispatcherDb> database, CurrentBundle current)
{
    /// <summary>The word for the bundle in force, where a hash may stand.</summary>
    public const string InForce = "active";

    /// <summary>The bundle, or what to answer instead.</summary>
    /// <param name="hash">The hash, its first digits (at least 8), or <see cref="InForce"/>.</param>
    /// <param name="where">Where the request says it, for the error.</param>
    /// <param name="cancellationToken">Ends the search.</param>
    public async Task<FoundBundle> FindAsync(string hash, string where, CancellationToken cancellationToken)
    {
        var wanted = hash == InForce ? current.InForce.Hash : hash;
        if (!HashOrPrefix().IsMatch(wanted))
        {
            return new FoundBundle(
                null,
                hash == InForce ? Problems.NotFound("No bundle is in force.") : Problems.Malformed([NoHash(hash, where)])
            );
        }

        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var kept = await db.Bundles.AsNoTracking().Where(bundle => bundle.Hash.StartsWith(wanted)).Take(2).ToListAsync(cancellationToken);
        if (kept is not [var one])
        {
            return new FoundBundle(
                null,
                kept.Count == 0
                    ? Problems.NotFound($"No bundle that is kept here has a hash that begins with {wanted}; GET /api/policies lists them.")
                    : Problems.Conflict(
                        $"More than one bundle begins with {wanted}, for example {kept[0].Hash} and {kept[1].Hash}: send more digits."
                    )
            );
        }

        var load = Bundle.FromArchive(one.Archive, one.Hash);
        return load.Bundle is null
            ? new FoundBundle(null, Problems.Unloadable(one.Hash, load.Errors)) { IsUnloadable = true }
            : new FoundBundle(load.Bundle, null);
    }

    private static InputError NoHash(string seen, string where) =>
        new()
        {
            Code = "bad_hash",
            Where = where,
            Message = $"\"{InputErrors.Cut(seen)}\" is no hash of a bundle.",
            Fix = $"Send 8 to 64 lower-case hex digits, or \"{InForce}\"; GET /api/policies lists the bundles.",
        };

    [GeneratedRegex(@"^[0-9a-f]{8,64}\z")]
    private static partial Regex HashOrPrefix();
}

/// <summary>A bundle, or what to answer instead: exactly one of the two.</summary>
internal sealed record FoundBundle(Bundle? Bundle, IResult? Problem)
{
    /// <summary>It is kept, but this version cannot load it.</summary>
    public bool IsUnloadable { get; init; }
}
