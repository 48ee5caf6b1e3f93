using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Storage.Rows;
using Dispatcher.UnitTests.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.UnitTests.Dispatching;

public sealed class PermitsTests : IAsyncLifetime
{
    private static readonly PermitClaims Claims = new()
    {
        Jti = Guid.Parse("0197f3a0-0000-7000-8000-000000000002"),
        Sub = Guid.Parse("0197f3a0-7c1e-7b7a-9f53-0d4c2e6a1b11"),
        Att = 1,
        Aud = "shell",
        Exp = 1_775_044_860,
        Bh = new string('a', 64),
    };

    private ASqliteStore _store = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _store = await ASqliteStore.MigratedAsync();

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Fact]
    public async Task Signed_permit_is_verified()
    {
        using var permits = Permits();

        Assert.Equal(Claims, await permits.VerifyAsync(await permits.SignAsync(Claims, Cancel), Cancel));
    }

    [Fact]
    public async Task Permit_is_verified_by_another_process()
    {
        using var here = Permits();
        using var there = Permits();

        Assert.Equal(Claims, await there.VerifyAsync(await here.SignAsync(Claims, Cancel), Cancel));
    }

    [Fact]
    public async Task Permit_is_a_JWT_signed_with_HS256()
    {
        using var permits = Permits();
        var parts = (await permits.SignAsync(Claims, Cancel)).Split('.');
        await using var db = await _store.Database.CreateDbContextAsync(Cancel);
        var key = await db.PermitKeys.SingleAsync(Cancel);

        Assert.Equal($$"""{"alg":"HS256","typ":"JWT","kid":"{{key.Kid}}"}""", Encoding.UTF8.GetString(Base64Url.DecodeFromChars(parts[0])));
        Assert.Equal(
            Base64Url.EncodeToString(HMACSHA256.HashData(key.Secret, Encoding.ASCII.GetBytes($"{parts[0]}.{parts[1]}"))),
            parts[2]
        );
        Assert.Equal(32, key.Secret.Length);
    }

    [Fact]
    public async Task Permit_with_a_changed_character_is_refused()
    {
        using var permits = Permits();
        var permit = await permits.SignAsync(Claims, Cancel);

        for (var i = 0; i < permit.Length; i++)
        {
            // The last character of a part may have unused bits. The replacement differs in a used bit.
            var changed = permit[..i] + (permit[i] == 'A' ? 'Q' : 'A') + permit[(i + 1)..];
            Assert.Null(await permits.VerifyAsync(changed, Cancel));
        }
    }

    [Fact]
    public async Task Permit_with_the_claims_of_another_job_is_refused()
    {
        using var permits = Permits();
        var mine = (await permits.SignAsync(Claims, Cancel)).Split('.');
        var other = (await permits.SignAsync(Claims with { Sub = Claims.Jti }, Cancel)).Split('.');

        Assert.Null(await permits.VerifyAsync($"{mine[0]}.{other[1]}.{mine[2]}", Cancel));
    }

    [Theory]
    [InlineData("""{"alg":"none","kid":"first"}""")]
    [InlineData("""{"alg":"HS256","kid":"second"}""")]
    [InlineData("""{"alg":"HS256","kid":null}""")]
    [InlineData("""{"alg":"HS256","kid":1}""")]
    [InlineData("""{"alg":"HS256"}""")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{")]
    public async Task Permit_with_another_header_is_refused(string header)
    {
        using var permits = Permits();
        var parts = (await permits.SignAsync(Claims, Cancel)).Split('.');
        var encoded = Encoded(header);

        Assert.Null(await permits.VerifyAsync($"{encoded}.{parts[1]}.", Cancel));
        Assert.Null(await permits.VerifyAsync($"{encoded}.{parts[1]}.{parts[2]}", Cancel));
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("a.b")]
    [InlineData("a.b.c.d")]
    [InlineData("*.*.*")]
    [InlineData("é.é.é")]
    [InlineData("bnVsbA.bnVsbA.bnVsbA")]
    public async Task Malformed_permit_is_refused(string permit)
    {
        using var permits = Permits();

        Assert.Null(await permits.VerifyAsync(permit, Cancel));
    }

    [Theory]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("""{"jti":"x"}""")]
    public async Task Signed_text_without_valid_claims_is_refused(string claims)
    {
        using var permits = Permits();
        await permits.SignAsync(Claims, Cancel);
        await using var db = await _store.Database.CreateDbContextAsync(Cancel);
        var key = await db.PermitKeys.SingleAsync(Cancel);
        var signed = $"{Encoded($$"""{"kid":"{{key.Kid}}"}""")}.{Encoded(claims)}";

        Assert.Null(
            await permits.VerifyAsync(
                $"{signed}.{Base64Url.EncodeToString(HMACSHA256.HashData(key.Secret, Encoding.ASCII.GetBytes(signed)))}",
                Cancel
            )
        );
    }

    [Fact]
    public async Task Only_the_two_newest_keys_verify()
    {
        List<string> signed = [];
        for (var i = 0; i < 3; i++)
        {
            var key = new PermitKey
            {
                Kid = $"k{i}",
                Secret = RandomNumberGenerator.GetBytes(32),
                CreatedAt = i,
            };
            await using var db = await _store.Database.CreateDbContextAsync(Cancel);
            db.PermitKeys.Add(key);
            await db.SaveChangesAsync(Cancel);
            using var permits = Permits();
            signed.Add(await permits.SignAsync(Claims, Cancel));
        }

        using var now = Permits();
        Assert.Null(await now.VerifyAsync(signed[0], Cancel));
        Assert.NotNull(await now.VerifyAsync(signed[1], Cancel));
        Assert.NotNull(await now.VerifyAsync(signed[2], Cancel));
    }

    [Fact]
    public async Task Running_process_loads_a_new_key_at_its_first_permit()
    {
        using var running = Permits();
        var before = await running.SignAsync(Claims, Cancel);
        await using var db = await _store.Database.CreateDbContextAsync(Cancel);
        db.PermitKeys.Add(
            new PermitKey
            {
                Kid = "new",
                Secret = RandomNumberGenerator.GetBytes(32),
                CreatedAt = long.MaxValue,
            }
        );
        await db.SaveChangesAsync(Cancel);
        using var started = Permits();

        Assert.NotNull(await running.VerifyAsync(await started.SignAsync(Claims, Cancel), Cancel));
        Assert.NotNull(await running.VerifyAsync(before, Cancel));
        Assert.Contains(
            "\"kid\":\"new\"",
            Encoding.UTF8.GetString(Base64Url.DecodeFromChars((await running.SignAsync(Claims, Cancel)).Split('.')[0])),
            StringComparison.Ordinal
        );
    }

    private static string Encoded(string text) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));

    private Permits Permits() => new(_store.Database, TimeProvider.System);
}
