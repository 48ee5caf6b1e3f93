using System.Collections.Concurrent;
using System.Data.Common;
using System.Security.Cryptography;
using System.Text;
using Dispatcher.Base;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Web;

/// <summary>
/// Creates, finds and revokes API keys. A key has the form <c>dsp_&lt;key id&gt;_&lt;secret&gt;</c>; the store keeps only its hash.
/// </summary>
internal sealed partial class ApiKeys(
    IDbContextFactory<DispatcherDb> database,
    PrincipalOwners owners,
    StoreClock clock,
    TimeProvider time,
    ILogger<ApiKeys> logger
)
{
    /// <summary>How long a lookup is cached. A key that another server revoked works this much longer.</summary>
    private static readonly TimeSpan Remembered = TimeSpan.FromSeconds(2);

    private const int MaxRemembered = 10_000;

    /// <summary>Prefix of the ids of keys from an environment variable. The ids of created keys are hex.</summary>
    private const string FromEnvironment = "env-";

    /// <summary>The last lookups, also of secrets that no key has. Cleared when it is full.</summary>
    private readonly ConcurrentDictionary<string, (ApiKey? Key, long At)> _seen = new(StringComparer.Ordinal);

    /// <summary>
    /// Hashes of keys that exist; never cleared. An entry is removed only when a lookup finds the key missing or revoked. Bounded by the
    /// number of keys.
    /// </summary>
    private readonly ConcurrentDictionary<string, bool> _known = new(StringComparer.Ordinal);

    /// <summary>
    /// Whether this process has found the key of this secret before, so that the secret is not a guess. The key may be revoked by now.
    /// </summary>
    public bool HasFound(string secret) => _known.ContainsKey(Hash(secret));

    /// <summary>Loads the hashes of all valid keys, so that the first requests after a start do not count as guesses.</summary>
    public async Task PreloadAsync(CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var hashes = db.ApiKeys.Where(key => key.RevokedAt == null).Select(key => key.SecretHash);
        await foreach (var hash in hashes.AsAsyncEnumerable().WithCancellation(cancellationToken))
        {
            _known[hash] = true;
        }
    }

    /// <summary>The key of a secret. Null: the key does not exist or is revoked.</summary>
    public async ValueTask<ApiKey?> FindAsync(string secret, CancellationToken cancellationToken)
    {
        var hash = Hash(secret);
        if (_seen.TryGetValue(hash, out var seen) && time.GetElapsedTime(seen.At) < Remembered)
        {
            return seen.Key;
        }

        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var key = await db
            .ApiKeys.AsNoTracking()
            .SingleOrDefaultAsync(row => row.SecretHash == hash && row.RevokedAt == null, cancellationToken);
        if (_seen.Count > MaxRemembered)
        {
            _seen.Clear();
        }

        _seen[hash] = (key, time.GetTimestamp());
        _ = key is not null ? _known.TryAdd(hash, true) : _known.TryRemove(hash, out _);
        return key;
    }

    /// <summary>Reads from the store, without the cache, whether a key is valid.</summary>
    public async Task<bool> IsAliveAsync(string keyId, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        return await db.ApiKeys.AnyAsync(key => key.KeyId == keyId && key.RevokedAt == null, cancellationToken);
    }

    /// <summary>Stores a new key or binding. Returns its secret, which cannot be read again.</summary>
    public async Task<(ApiKey Key, string Secret)> CreateAsync(KeyRequest request, CancellationToken cancellationToken)
    {
        var keyId = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6));
        var secret = $"dsp_{keyId}_{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32))}";
        return (await AddAsync(keyId, secret, request, cancellationToken), secret);
    }

    /// <summary>
    /// Makes the secret of <c>DISPATCHER_API_KEY</c> the only admin key from the environment: the newest stays, all others are revoked. A
    /// secret that was replaced or revoked is not accepted again, because it may have leaked: the server starts and logs an error, and
    /// the secret grants no rights.
    /// </summary>
    public async Task EnsureAdminAsync(string secret, CancellationToken cancellationToken)
    {
        var hash = Hash(secret);
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        if (!await db.ApiKeys.AnyAsync(key => key.SecretHash == hash, cancellationToken))
        {
            var request = new KeyRequest
            {
                Subject = "admin",
                Roles = [Role.Admin],
                Groups = [],
            };
            try
            {
                await AddAsync(FromEnvironment + hash[..8], secret, request, cancellationToken);
            }
            catch (DbUpdateException fault) when (fault.InnerException is DbException data && data.IsAboutData())
            {
                // Another server that starts at the same time has just stored it.
            }
        }

        // After the insert is committed: several servers that start at once with different values all choose the newest.
        var alive = await db
            .ApiKeys.Where(key => key.KeyId.StartsWith(FromEnvironment) && key.RevokedAt == null)
            .OrderByDescending(key => key.CreatedAt)
            .ThenBy(key => key.KeyId)
            .Select(key => new { key.KeyId, key.SecretHash })
            .ToListAsync(cancellationToken);
        foreach (var replaced in alive.Skip(1))
        {
            await RevokeAsync(replaced.KeyId, cancellationToken);
            Log.Replaced(logger, replaced.KeyId);
        }

        if (alive.FirstOrDefault()?.SecretHash != hash)
        {
            Log.Retired(logger);
        }
    }

    public async Task<IReadOnlyList<ApiKey>> ListAsync(CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        return await db.ApiKeys.AsNoTracking().OrderBy(key => key.CreatedAt).ToListAsync(cancellationToken);
    }

    /// <summary>False: the key does not exist.</summary>
    public async Task<bool> RevokeAsync(string keyId, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var now = clock.Now;
        var found =
            await db
                .ApiKeys.Where(key => key.KeyId == keyId)
                .ExecuteUpdateAsync(set => set.SetProperty(key => key.RevokedAt, key => key.RevokedAt ?? now), cancellationToken) == 1;
        _seen.Clear();
        owners.Forget();
        return found;
    }

    private async Task<ApiKey> AddAsync(string keyId, string secret, KeyRequest request, CancellationToken cancellationToken)
    {
        var key = new ApiKey
        {
            KeyId = keyId,
            SecretHash = Hash(secret),
            Subject = request.Subject,
            Person = request.Person ?? "",
            Roles = request.Roles,
            Groups = request.Groups,
            CreatedAt = clock.Now,
        };
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        db.ApiKeys.Add(key);
        await db.SaveChangesAsync(cancellationToken);
        owners.Forget();
        return key;
    }

    private static string Hash(string secret) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(secret)));

    private static partial class Log
    {
        [LoggerMessage(EventIds.AdminKeyReplaced, LogLevel.Warning, "Revoked key {KeyId}: another value of DISPATCHER_API_KEY replaced it")]
        public static partial void Replaced(ILogger logger, string keyId);

        [LoggerMessage(
            EventIds.AdminKeyRetired,
            LogLevel.Error,
            "DISPATCHER_API_KEY holds a key that was replaced or revoked; it grants no rights. Set the current key or a new one"
        )]
        public static partial void Retired(ILogger logger);
    }
}
