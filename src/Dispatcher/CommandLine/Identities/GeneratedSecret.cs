using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Dispatcher.CommandLine.Identities;

/// <summary>
/// A password of 256 random bits, and the hashes that the servers get instead of it: a password in a request or statement could be written
/// to a log.
/// </summary>
internal static class GeneratedSecret
{
    /// <summary>Hashing name of RabbitMQ for <see cref="RabbitMqHash"/>.</summary>
    public const string RabbitMqAlgorithm = "rabbit_password_hashing_sha256";

    private const int Bytes = 32;

    /// <summary>PostgreSQL's own default. The password is too long to guess, so more would only slow down each login.</summary>
    private const int Iterations = 4096;

    /// <summary>In lower-case hex, which needs no escape in an address or a connection string.</summary>
    public static string New() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(Bytes));

    /// <summary>Base64 of salt and SHA-256(salt, password); see https://www.rabbitmq.com/docs/passwords.</summary>
    public static string RabbitMqHash(string password)
    {
        var salt = RandomNumberGenerator.GetBytes(4);
        return Convert.ToBase64String([.. salt, .. SHA256.HashData([.. salt, .. Encoding.UTF8.GetBytes(password)])]);
    }

    /// <summary>The SCRAM-SHA-256 verifier (RFC 5803) that PostgreSQL stores, with a random salt.</summary>
    public static string PostgresVerifier(string password) => PostgresVerifier(password, RandomNumberGenerator.GetBytes(16));

    internal static string PostgresVerifier(string password, byte[] salt)
    {
        var salted = Rfc2898DeriveBytes.Pbkdf2(password, salt, Iterations, HashAlgorithmName.SHA256, Bytes);
        var stored = SHA256.HashData(HMACSHA256.HashData(salted, "Client Key"u8));
        var server = HMACSHA256.HashData(salted, "Server Key"u8);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"SCRAM-SHA-256${Iterations}:{Convert.ToBase64String(salt)}${Convert.ToBase64String(stored)}:{Convert.ToBase64String(server)}"
        );
    }
}
