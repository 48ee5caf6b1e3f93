using System.Collections.Frozen;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Web;

/// <summary>
/// Caches which principals have an owner: a valid key or binding that names a person. One query reads all of them on demand, at most
/// every <see cref="Remembered"/>.
/// </summary>
internal sealed class PrincipalOwners(IDbContextFactory<DispatcherDb> database, TimeProvider time) : IDisposable
{
    /// <summary>How long the answer is cached. A binding that another server created or revoked takes effect within this time.</summary>
    private static readonly TimeSpan Remembered = TimeSpan.FromSeconds(2);

    private readonly SemaphoreSlim _one = new(1, 1);
    private volatile Known? _known;
    private int _changes;

    /// <summary>
    /// Whether a person is responsible for this principal. Throws when the store is unavailable.
    /// </summary>
    public async ValueTask<bool> HasOneAsync(string principal, CancellationToken cancellationToken) =>
        (Fresh() ?? await ReadAsync(cancellationToken)).Principals.Contains(principal);

    /// <summary>The next call reads from the store again.</summary>
    public void Forget() => Interlocked.Increment(ref _changes);

    public void Dispose() => _one.Dispose();

    private Known? Fresh() =>
        _known is { } known && known.Changes == Volatile.Read(ref _changes) && time.GetElapsedTime(known.At) < Remembered ? known : null;

    private async Task<Known> ReadAsync(CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            if (Fresh() is { } known)
            {
                return known;
            }

            // Both before the query: its answer may miss a row that is written meanwhile.
            var (changes, at) = (Volatile.Read(ref _changes), time.GetTimestamp());
            await using var db = await database.CreateDbContextAsync(cancellationToken);
            var owned = await db
                .ApiKeys.Where(key => key.RevokedAt == null && key.Person != "")
                .Select(key => key.Subject)
                .Distinct()
                .ToListAsync(cancellationToken);
            return _known = new Known(owned.ToFrozenSet(StringComparer.Ordinal), changes, at);
        }
        finally
        {
            _one.Release();
        }
    }

    private sealed record Known(FrozenSet<string> Principals, int Changes, long At);
}
