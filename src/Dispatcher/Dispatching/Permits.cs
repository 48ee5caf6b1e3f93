using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Dispatcher.Dispatching;

/// <summary>
/// Signs the right to claim one attempt, and checks it at the claim (compact JWS, RFC 7515, HS256). Only the server has the keys: a worker
/// that can check a symmetric signature can also make one. So the worker compares the hash of the body, and the claim checks the rest.
/// </summary>
internal sealed class Permits(IDbContextFactory<DispatcherDb> database, TimeProvider time) : IDisposable
{
    private const int KeyBytes = 32;

    private const int SqliteConstraint = 19;

    private readonly SemaphoreSlim _one = new(1, 1);

    private volatile IReadOnlyList<SigningKey> _keys = [];

    /// <summary>Signs with the newest key.</summary>
    public async ValueTask<string> SignAsync(PermitClaims claims, CancellationToken cancellationToken)
    {
        var key = (_keys.Count > 0 ? _keys : await LoadAsync(cancellationToken))[0];
        var signed = $"{key.Header}.{Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(claims, WireJson.Default.PermitClaims))}";
        return $"{signed}.{Base64Url.EncodeToString(key.Sign(signed))}";
    }

    public void Dispose() => _one.Dispose();

    /// <summary>
    /// The claims of a permit. Null: it is unreadable, or not signed by one of the two newest keys. The caller must check the expiry.
    /// </summary>
    public async ValueTask<PermitClaims?> VerifyAsync(string permit, CancellationToken cancellationToken)
    {
        try
        {
            var (first, last) = (permit.IndexOf('.', StringComparison.Ordinal), permit.LastIndexOf('.'));
            if (first == last || await KeyAsync(permit[..first], cancellationToken) is not { } key)
            {
                return null;
            }

            return CryptographicOperations.FixedTimeEquals(
                key.Sign(permit.AsSpan(0, last)),
                Base64Url.DecodeFromChars(permit.AsSpan(last + 1))
            )
                ? JsonSerializer.Deserialize(
                    Base64Url.DecodeFromChars(permit.AsSpan(first + 1, last - first - 1)),
                    WireJson.Default.PermitClaims
                )
                : null;
        }
        catch (Exception unreadable) when (unreadable is FormatException or JsonException)
        {
            return null;
        }
    }

    private async ValueTask<SigningKey?> KeyAsync(string header, CancellationToken cancellationToken) =>
        _keys.FirstOrDefault(key => key.Header == header)
        ?? (await LoadAsync(cancellationToken)).FirstOrDefault(key => key.Header == header);

    /// <summary>Reads the two newest keys. The first process on a new store creates one.</summary>
    private async Task<IReadOnlyList<SigningKey>> LoadAsync(CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            await using var db = await database.CreateDbContextAsync(cancellationToken);
            var keys = await NewestAsync(db, cancellationToken);
            if (keys.Count == 0)
            {
                db.PermitKeys.Add(
                    new PermitKey
                    {
                        Kid = "first",
                        Secret = RandomNumberGenerator.GetBytes(KeyBytes),
                        CreatedAt = Timestamps.Micros(time.GetUtcNow()),
                    }
                );
                await SaveUnlessThereAsync(db, cancellationToken);
                keys = await NewestAsync(db, cancellationToken);
            }

            return _keys = [.. keys.Select(key => new SigningKey(key))];
        }
        finally
        {
            _one.Release();
        }
    }

    private static Task<List<PermitKey>> NewestAsync(DispatcherDb db, CancellationToken cancellationToken) =>
        db.PermitKeys.AsNoTracking().OrderByDescending(key => key.CreatedAt).Take(2).ToListAsync(cancellationToken);

    private static async Task SaveUnlessThereAsync(DispatcherDb db, CancellationToken cancellationToken)
    {
        try
        {
            await db.SaveChangesAsync(cancellationToken);
        }
        catch (DbUpdateException taken)
            when (taken.InnerException
                    is PostgresException { SqlState: PostgresErrorCodes.UniqueViolation }
                        or SqliteException { SqliteErrorCode: SqliteConstraint }
            )
        {
            // Another process was first; its key is read next.
        }
    }

    /// <summary>A key and the header of its permits. The server chooses the algorithm: it accepts no other header.</summary>
    private sealed class SigningKey(PermitKey key)
    {
        public string Header { get; } =
            Base64Url.EncodeToString(Encoding.UTF8.GetBytes($$"""{"alg":"HS256","typ":"JWT","kid":"{{key.Kid}}"}"""));

        public byte[] Sign(ReadOnlySpan<char> signed)
        {
            var buffer = ScratchBuffer.Take();
            Encoding.UTF8.GetBytes(signed, buffer);
            var signature = HMACSHA256.HashData(key.Secret, buffer.WrittenSpan);
            ScratchBuffer.Return(buffer);
            return signature;
        }
    }
}
