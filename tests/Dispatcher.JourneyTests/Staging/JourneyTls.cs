using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Dispatcher.UnitTests;
using Npgsql;
using RabbitMQ.Client;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>
/// TLS on every connection of a journey: the certificate of its servers' HTTPS, and the CAs that its programs trust. Processes trust by the
/// variable <c>SSL_CERT_FILE</c>; the clients in the process of the tests are given the CA.
/// </summary>
internal sealed class JourneyTls : IDisposable
{
    /// <summary>The role that the database refuses without TLS.</summary>
    private const string Role = "tls_only";

    private readonly X509Certificate2 _authority = ACertificate.Authority("journey CA");
    private readonly string _folder;

    public JourneyTls(string folder)
    {
        _folder = Directory.CreateDirectory(Path.Combine(folder, "tls")).FullName;
        File.WriteAllText(TrustFile, File.ReadAllText(Servers.AuthorityFile) + _authority.Pem());
        File.WriteAllText(AuthorityFile, _authority.Pem());
        Serial = Renew();
    }

    /// <summary>The serial number of the certificate that was written last.</summary>
    public string Serial { get; private set; }

    /// <summary>The variables of a program that uses TLS.</summary>
    public IReadOnlyDictionary<string, string> Client => new Dictionary<string, string> { ["SSL_CERT_FILE"] = TrustFile };

    /// <summary>The variables of a server, beside those of a client.</summary>
    public IReadOnlyDictionary<string, string> Server =>
        new Dictionary<string, string>(Client) { ["DISPATCHER_TLS_CERT_FILE"] = CertificateFile, ["DISPATCHER_TLS_KEY_FILE"] = KeyFile };

    /// <summary>The CA of HTTPS, which has issued neither the certificate of the broker nor that of the database.</summary>
    public string AuthorityFile => Path.Combine(_folder, "ca.pem");

    private string TrustFile => Path.Combine(_folder, "trusted.pem");

    private string CertificateFile => Path.Combine(_folder, "server.pem");

    private string KeyFile => Path.Combine(_folder, "server.key");

    /// <summary>Writes a new certificate and its key. Each file is replaced at once.</summary>
    public string Renew()
    {
        using var certificate = ACertificate.For127001(_authority, DateTimeOffset.UtcNow.AddDays(90));
        foreach (var (file, text) in new[] { (CertificateFile, certificate.Pem()), (KeyFile, certificate.KeyPem()) })
        {
            File.WriteAllText(file + ".new", text);
            File.Move(file + ".new", file, overwrite: true);
        }

        return Serial = certificate.SerialNumber;
    }

    /// <summary>A database as a program that verifies the server connects to it.</summary>
    public static string Verified(string connection, string? role = null) =>
        new NpgsqlConnectionStringBuilder(connection)
        {
            Username = role ?? new NpgsqlConnectionStringBuilder(connection).Username,
            SslMode = SslMode.VerifyFull,
            RootCertificate = Servers.AuthorityFile,
        }.ConnectionString;

    /// <summary>The same as a role with the rights of another, which the database refuses without TLS.</summary>
    public static string Required(string connection) => Verified(connection, Role);

    /// <summary>Makes the role that the database refuses without TLS, with the rights of the serve role.</summary>
    public static async Task MakeRoleAsync(NpgsqlDataSource database)
    {
        const string Make =
            $"do $$ begin if not exists (select from pg_roles where rolname = '{Role}') then create role {Role} login; end if; end $$";
        await using var make = database.CreateCommand(Make);
        await make.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
#pragma warning disable CA2100 // A name of this run.
        await using var grant = database.CreateCommand($"grant {PostgresTemplate.ServeRole} to {Role}");
#pragma warning restore CA2100
        await grant.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
    }

    /// <summary>TLS of a client of the broker in the process of the tests.</summary>
    public static void Trust(ConnectionFactory factory)
    {
        if (factory.Ssl.Enabled)
        {
            factory.Ssl.AcceptablePolicyErrors = SslPolicyErrors.RemoteCertificateChainErrors;
            factory.Ssl.CertificateValidationCallback = (_, certificate, _, errors) =>
                !errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch)
                && IsIssued((X509Certificate2)certificate!, X509CertificateLoader.LoadCertificateFromFile(Servers.AuthorityFile));
        }
    }

    /// <summary>An HTTP client in the process of the tests, with a new connection for each request if <paramref name="isFresh"/>.</summary>
    public HttpMessageHandler Handler(bool isFresh = false) =>
        new SocketsHttpHandler
        {
            PooledConnectionLifetime = isFresh ? TimeSpan.Zero : Timeout.InfiniteTimeSpan,
            SslOptions =
            {
                RemoteCertificateValidationCallback = (_, certificate, _, errors) =>
                    !errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch) && IsIssued((X509Certificate2)certificate!, _authority),
            },
        };

    public void Dispose() => _authority.Dispose();

    private static bool IsIssued(X509Certificate2 certificate, X509Certificate2 authority)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        return chain.Build(certificate);
    }
}
