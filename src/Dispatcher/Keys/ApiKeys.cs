using System.Collections.Concurrent;
using System.Data.Common;
using System.Security.Cryptography;
using System.Text;
using Dispatcher.Storing;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Keys;

/// <summary>Makes, finds and revokes API keys. A key looks like <c>dsp_&lt;key id&gt;_&lt;secret&gt;</c>; the store has only its hash.</summary>
internal sealed class ApiKeys(IDbContextFactory<DispatcherDb> database, StoreClock clock, TimeProvider time)
{
    /// <summary>A revoked key may work this much longer: the price of not asking the store at every request.</summary>
    private static readonly TimeSpan Remembered = TimeSpan.FromSeconds(5);

    private const int MostRemembered = 10_000;

    /// <summary>How the ids of keys begin that an environment variable gave; those made here are hex.</summary>
    private const string FromEnvironment = "env-";

    private readonly ConcurrentDictionary<string, (ApiKey? Key, long At)> _seen = new(StringComparer.Ordinal);

    /// <summary>
    /// Whether this process has found a key behind the secret before, and so knows that it is no guess. It may be revoked by now.
    /// </summary>
    public bool HasFound(string secret) => _seen.TryGetValue(Hash(secret), out var seen) && seen.Key is not null;

    /// <summary>The key behind a secret; null when there is none or it is revoked.</summary>
    public async ValueTask<ApiKey?> FindAsync(string secret, CancellationToken cancellationToken)
    {
        var hash = Hash(secret);
        if (_seen.TryGetValue(hash, out var seen) && time.GetElapsedTime(seen.At) < Remembered)
        {
            return seen.Key;
        }

        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var key = await db.ApiKeys.AsNoTracking().SingleOrDefaultAsync(row => row.SecretHash == hash && row.RevokedAt == null, cancellationToken);
        if (_seen.Count > MostRemembered)
        {
            _seen.Clear();
        }

        _seen[hash] = (key, time.GetTimestamp());
        return key;
    }

    /// <summary>Stores a new key; answers its secret, which is never shown again.</summary>
    public async Task<(ApiKey Key, string Secret)> CreateAsync(KeyRequest request, CancellationToken cancellationToken)
    {
        var keyId = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6));
        var secret = $"dsp_{keyId}_{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32))}";
        return (await AddAsync(keyId, secret, request, cancellationToken), secret);
    }

    /// <summary>
    /// Makes sure that a secret given from outside (<c>DISPATCHER_API_KEY</c>) is an admin key. Of the keys that came this way only it and the newest other stay:
    /// while a secret is changed, servers that were not started again still have the former one. A secret that was revoked stays so: it may have leaked.
    /// </summary>
    public async Task EnsureAdminAsync(string secret, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var hash = Hash(secret);
        if (!await db.ApiKeys.AnyAsync(key => key.SecretHash == hash, cancellationToken))
        {
            var request = new KeyRequest { Subject = "admin", Person = "admin", Roles = [Role.Admin], Groups = [] };
            try
            {
                await AddAsync(FromEnvironment + hash[..8], secret, request, cancellationToken);
            }
            catch (DbUpdateException fault) when (fault.InnerException is DbException data && data.IsAboutData())
            {
                // Another server that starts at this moment has just made it.
            }
        }

        var former = await db.ApiKeys.Where(key => key.KeyId.StartsWith(FromEnvironment) && key.SecretHash != hash && key.RevokedAt == null)
            .OrderByDescending(key => key.CreatedAt).Select(key => key.KeyId).Skip(1).ToListAsync(cancellationToken);
        foreach (var keyId in former)
        {
            await RevokeAsync(keyId, cancellationToken);
        }
    }

    public async Task<IReadOnlyList<ApiKey>> ListAsync(CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        return await db.ApiKeys.AsNoTracking().OrderBy(key => key.CreatedAt).ToListAsync(cancellationToken);
    }

    /// <summary>False when there is no such key.</summary>
    public async Task<bool> RevokeAsync(string keyId, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var now = clock.Now;
        _seen.Clear();
        return await db.ApiKeys.Where(key => key.KeyId == keyId)
            .ExecuteUpdateAsync(set => set.SetProperty(key => key.RevokedAt, key => key.RevokedAt ?? now), cancellationToken) == 1;
    }

    private async Task<ApiKey> AddAsync(string keyId, string secret, KeyRequest request, CancellationToken cancellationToken)
    {
        var key = new ApiKey
        {
            KeyId = keyId,
            SecretHash = Hash(secret),
            Subject = request.Subject,
            Person = request.Person ?? request.Subject,
            Roles = request.Roles,
            Groups = request.Groups,
            CreatedAt = clock.Now,
        };
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        db.ApiKeys.Add(key);
        await db.SaveChangesAsync(cancellationToken);
        return key;
    }

    private static string Hash(string secret) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(secret)));
}
