using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Dispatcher.Worker.RabbitMq;
using RabbitMQ.Client;

namespace Dispatcher.UnitTests.Worker.RabbitMq;

/// <summary>Handshakes with a listener on this machine. Journeys use real servers.</summary>
public sealed class ServerCertificateTests
{
    private static readonly X509Certificate2 Authority = ACertificate.Authority("test CA");

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("127.0.0.1", 90, true, null)]
    [InlineData("localhost", 90, true, "the certificate of localhost is for other names (127.0.0.1)")]
    [InlineData("127.0.0.1", -1, true, "is valid only from")]
    [InlineData("127.0.0.1", 90, false, "has no trusted CA")]
    public async Task Certificate_is_accepted_or_refused_with_its_cause(string host, int days, bool isTrusted, string? cause)
    {
        using var certificate = ACertificate.For127001(Authority, DateTimeOffset.UtcNow.AddDays(days));
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var serving = ServeAsync(listener, certificate);
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, ((IPEndPoint)listener.LocalEndpoint).Port, Stop);
        await using var stream = new SslStream(client.GetStream());
        var options = ServerCertificate.Options(host);
        options.CertificateChainPolicy = Trusting(isTrusted ? Authority : ACertificate.Authority("other CA"));

        var fault = await Record.ExceptionAsync(() => stream.AuthenticateAsClientAsync(options, Stop));
        client.Close();
        await serving;

        Assert.Equal(cause is null, fault is null);
        if (fault is not null)
        {
            Assert.Contains(cause!, ServerCertificate.FaultOf(new IOException("outer", fault))!.Value.Reason, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Factory_for_amqps_accepts_no_certificate_for_another_name()
    {
        var factory = new ConnectionFactory { Uri = new Uri("amqps://mq.example/") };
        // The reason for this class; when it fails, VerifyFor may be unnecessary.
        Assert.NotEqual(SslPolicyErrors.None, factory.Ssl.AcceptablePolicyErrors);

        ServerCertificate.VerifyFor(factory);

        Assert.Equal(
            (true, "mq.example", SslPolicyErrors.None),
            (factory.Ssl.Enabled, factory.Ssl.ServerName, factory.Ssl.AcceptablePolicyErrors)
        );
        Assert.Equal(SslProtocols.Tls12 | SslProtocols.Tls13, factory.Ssl.Version);
    }

    [Fact]
    public void Factory_for_amqp_stays_without_TLS()
    {
        var factory = new ConnectionFactory { Uri = new Uri("amqp://mq.example/") };

        ServerCertificate.VerifyFor(factory);

        Assert.False(factory.Ssl.Enabled);
    }

    [Fact]
    public void Fault_of_another_kind_is_not_one_of_TLS() =>
        Assert.Null(ServerCertificate.FaultOf(new IOException("outer", new SocketException(111))));

    private static X509ChainPolicy Trusting(X509Certificate2 authority)
    {
        var trust = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        trust.CustomTrustStore.Add(authority);
        return trust;
    }

    private static async Task ServeAsync(TcpListener listener, X509Certificate2 certificate)
    {
        using var accepted = await listener.AcceptTcpClientAsync(Stop);
        await using var stream = new SslStream(accepted.GetStream());
        // A client that refuses closes the connection; only the client is of interest.
        await stream.AuthenticateAsServerAsync(certificate).WaitAsync(Stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
