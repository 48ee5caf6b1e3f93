using System.Security.Cryptography;
using System.Text;
using Dispatcher.CommandLine.Identities;

namespace Dispatcher.UnitTests.CommandLine.Identities;

public sealed class GeneratedSecretTests
{
    [Fact]
    public void Secret_has_256_bits_and_needs_no_escape()
    {
        var secrets = Enumerable.Range(0, 1_000).Select(_ => GeneratedSecret.New()).ToList();

        Assert.Equal(1_000, secrets.Distinct().Count());
        Assert.All(secrets, secret => Assert.Matches(@"^[0-9a-f]{64}\z", secret));
    }

    /// <summary>The keys that PostgreSQL stores for the example of RFC 7677: password <c>pencil</c>.</summary>
    [Fact]
    public void Verifier_of_PostgreSQL_is_that_of_the_standard() =>
        Assert.Equal(
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
                + "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
            GeneratedSecret.PostgresVerifier("pencil", Convert.FromBase64String("W22ZaJ0SNY7soEsUEjb6gQ=="))
        );

    [Fact]
    public void Hash_of_RabbitMQ_begins_with_its_salt()
    {
        var bytes = Convert.FromBase64String(GeneratedSecret.RabbitMqHash("secret"));

        Assert.Equal(SHA256.HashData([.. bytes[..4], .. Encoding.UTF8.GetBytes("secret")]), bytes[4..]);
        Assert.NotEqual(bytes[..4], Convert.FromBase64String(GeneratedSecret.RabbitMqHash("secret"))[..4]);
    }
}
