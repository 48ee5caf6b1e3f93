using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Dispatcher.Web;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;

namespace Dispatcher.UnitTests.Hosting;

/// <summary>Connections by TLS to Kestrel with an <see cref="HttpCertificate"/>, below an intermediate CA.</summary>
public sealed class HttpsTests : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dispatcher-unit-");
    private readonly X509Certificate2 _root = ACertificate.Authority("test root");
    private readonly X509Certificate2 _intermediate;
    private readonly HttpCertificate _certificate;
    private readonly WebApplication _app;

    public HttpsTests()
    {
        _intermediate = ACertificate.Authority("test intermediate", _root);
        using var first = Write();
        _certificate = new HttpCertificate(CertificateFile, KeyFile, TimeProvider.System, new ALog<HttpCertificate>());
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.UseUrls("https://127.0.0.1:0");
        builder.Services.AddSingleton<IConfigureOptions<KestrelServerOptions>>(_certificate);
        _app = builder.Build();
        _app.MapGet("/", () => "hello");
    }

    private string CertificateFile => Path.Combine(_folder.FullName, "tls.crt");

    private string KeyFile => Path.Combine(_folder.FullName, "tls.key");

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => await _app.StartAsync(Stop);

    [Fact]
    public async Task New_connection_gets_the_renewed_certificate_with_its_chain_and_an_open_one_continues()
    {
        await using var open = await ConnectAsync();
        using var renewed = Write();
        await _certificate.OnceAsync(Stop);

        await using var later = await ConnectAsync();

        Assert.Equal(renewed.SerialNumber, Serial(later));
        Assert.NotEqual(renewed.SerialNumber, Serial(open));
        Assert.StartsWith("HTTP/1.1 200", await GetAsync(open), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 200", await GetAsync(later), StringComparison.Ordinal);
    }

    [Fact]
    public async Task TLS_1_1_is_refused() =>
#pragma warning disable SYSLIB0039, CA5397 // The test checks that the version is refused.
        await Assert.ThrowsAnyAsync<Exception>(() => ConnectAsync(SslProtocols.Tls11));
#pragma warning restore SYSLIB0039, CA5397

    [Fact]
    public async Task Plain_HTTP_is_not_answered()
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, new Uri(_app.Urls.Single()).Port, Stop);

        Assert.DoesNotContain("HTTP/1.1 200", await GetAsync(client.GetStream()), StringComparison.Ordinal);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _certificate.Dispose();
        _root.Dispose();
        _intermediate.Dispose();
        _folder.Delete(recursive: true);
    }

    private X509Certificate2 Write()
    {
        var certificate = ACertificate.For127001(_intermediate, DateTimeOffset.UtcNow.AddDays(90));
        File.WriteAllText(CertificateFile, certificate.Pem(_intermediate));
        File.WriteAllText(KeyFile, certificate.KeyPem());
        return certificate;
    }

    /// <summary>Connects as a client that knows the root alone: the server must send the intermediate certificate.</summary>
    private async Task<SslStream> ConnectAsync(SslProtocols versions = SslProtocols.None)
    {
        var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, new Uri(_app.Urls.Single()).Port, Stop);
        var stream = new SslStream(client.GetStream());
        var trust = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        trust.CustomTrustStore.Add(_root);
        await stream.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions
            {
                TargetHost = "127.0.0.1",
                EnabledSslProtocols = versions,
                CertificateChainPolicy = trust,
            },
            Stop
        );
        return stream;
    }

    private static string Serial(SslStream stream) => ((X509Certificate2)stream.RemoteCertificate!).SerialNumber;

    private static async Task<string> GetAsync(Stream stream)
    {
        try
        {
            await stream.WriteAsync(Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), Stop);
            return await new StreamReader(stream).ReadToEndAsync(Stop);
        }
        catch (IOException)
        {
            return "";
        }
    }
}
