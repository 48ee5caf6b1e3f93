using System.Text.RegularExpressions;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Policies;
using Dispatcher.Storage;
using Dispatcher.Web;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Enforcement;

/// <summary>Finds bundles by hash among those that were in force at some time.</summary>
internal sealed partial class StoredBundles(IDbContextFactory<DispatcherDb> database, CurrentBundle current)
{
    /// <summary>Names the bundle in force where a hash is expected.</summary>
    public const string InForce = "active";

    /// <summary>Returns the bundle, or the problem to answer.</summary>
    /// <param name="hash">The hash, its first digits (at least 8), or <see cref="InForce"/>.</param>
    /// <param name="where">The member or parameter of the request, for the error.</param>
    /// <param name="cancellationToken">Cancels the search.</param>
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
        var found = await db.Bundles.AsNoTracking().Where(bundle => bundle.Hash.StartsWith(wanted)).Take(2).ToListAsync(cancellationToken);
        if (found is not [var one])
        {
            return new FoundBundle(
                null,
                found.Count == 0
                    ? Problems.NotFound($"No stored bundle has a hash that begins with {wanted}; GET /api/policies lists the bundles.")
                    : Problems.Conflict(
                        $"More than one hash begins with {wanted}, for example {found[0].Hash} and {found[1].Hash}: send more digits."
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
            Message = $"\"{InputErrors.Cut(seen)}\" is not a hash of a bundle.",
            Fix = $"Send 8 to 64 lower-case hex digits, or \"{InForce}\"; GET /api/policies lists the bundles.",
        };

    [GeneratedRegex(@"^[0-9a-f]{8,64}\z")]
    private static partial Regex HashOrPrefix();
}

/// <summary>A bundle or the problem to answer: exactly one of the two is not null.</summary>
internal sealed record FoundBundle(Bundle? Bundle, IResult? Problem)
{
    /// <summary>The bundle is stored, but this version cannot load it.</summary>
    public bool IsUnloadable { get; init; }
}
