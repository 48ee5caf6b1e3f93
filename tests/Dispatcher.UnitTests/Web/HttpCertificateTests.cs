using System.Security.Cryptography.X509Certificates;
using Dispatcher.Base;
using Dispatcher.Web;
using Microsoft.Extensions.Time.Testing;

namespace Dispatcher.UnitTests.Web;

public sealed class HttpCertificateTests : IDisposable
{
    private static readonly X509Certificate2 Authority = ACertificate.Authority("test CA");

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dispatcher-unit-");
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private readonly ALog<HttpCertificate> _log = new();
    private readonly X509Certificate2 _old = Valid();

    public HttpCertificateTests() => Write(_old);

    private string CertificateFile => Path.Combine(_folder.FullName, "tls.crt");

    private string KeyFile => Path.Combine(_folder.FullName, "tls.key");

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public static TheoryData<string> Faults { get; } = new("wrong key", "no PEM", "half-written", "missing", "expired", "not yet valid");

    [Fact]
    public async Task Renewed_pair_is_used_after_one_round()
    {
        using var certificate = Load();
        using var renewed = Valid();

        Write(renewed);
        await certificate.OnceAsync(Stop);

        Assert.Equal(renewed.SerialNumber, certificate.Current.SerialNumber);
        Assert.Equal([EventIds.CertificateLoaded, EventIds.CertificateLoaded], _log.Lines.Select(line => line.Id));
        Assert.Contains(renewed.SerialNumber, _log.Lines[^1].Text, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task Unusable_new_pair_keeps_the_earlier_one_and_is_logged_once(string fault)
    {
        using var certificate = Load();

        Break(fault);
        await certificate.OnceAsync(Stop);
        Assert.DoesNotContain(_log.Lines, line => line.Id == EventIds.CertificateUnusable);
        await certificate.OnceAsync(Stop);
        await certificate.OnceAsync(Stop);

        Assert.Equal(_old.SerialNumber, certificate.Current.SerialNumber);
        var error = Assert.Single(_log.Lines, line => line.Id == EventIds.CertificateUnusable).Text;
        Assert.Contains(CertificateFile, error, StringComparison.Ordinal);
        Assert.Contains("Fix: ", error, StringComparison.Ordinal);
        using var renewed = Valid();
        Write(renewed);
        _time.AdjustTime(DateTimeOffset.UtcNow);
        await certificate.OnceAsync(Stop);
        Assert.Equal(renewed.SerialNumber, certificate.Current.SerialNumber);
    }

    [Theory]
    [MemberData(nameof(Faults))]
    public void Unusable_pair_at_start_is_wrong_use(string fault)
    {
        Break(fault);

        var refused = Assert.Throws<ExitException>(() => Load());

        Assert.Equal(ExitCode.WrongUse, refused.Code);
        Assert.Contains("DISPATCHER_TLS_CERT_FILE", refused.Message, StringComparison.Ordinal);
        Assert.Contains(CertificateFile, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pair_that_is_replaced_file_by_file_is_no_error()
    {
        using var certificate = Load();
        using var renewed = Valid();

        File.WriteAllText(CertificateFile, renewed.Pem());
        await certificate.OnceAsync(Stop);
        Assert.Equal(_old.SerialNumber, certificate.Current.SerialNumber);
        File.WriteAllText(KeyFile, renewed.KeyPem());
        await certificate.OnceAsync(Stop);

        Assert.Equal(renewed.SerialNumber, certificate.Current.SerialNumber);
        Assert.DoesNotContain(_log.Lines, line => line.Id == EventIds.CertificateUnusable);
    }

    [Fact]
    public async Task Replaced_link_to_a_folder_is_noticed()
    {
        // As Kubernetes mounts a secret: tls.crt -> ..data/tls.crt, ..data -> folder of this generation.
        using var renewed = Valid();
        var (first, second) = (_folder.CreateSubdirectory("1"), _folder.CreateSubdirectory("2"));
        File.Move(CertificateFile, Path.Combine(first.FullName, "tls.crt"));
        File.Move(KeyFile, Path.Combine(first.FullName, "tls.key"));
        File.WriteAllText(Path.Combine(second.FullName, "tls.crt"), renewed.Pem());
        File.WriteAllText(Path.Combine(second.FullName, "tls.key"), renewed.KeyPem());
        Directory.CreateSymbolicLink(Path.Combine(_folder.FullName, "..data"), "1");
        File.CreateSymbolicLink(CertificateFile, "..data/tls.crt");
        File.CreateSymbolicLink(KeyFile, "..data/tls.key");
        using var certificate = Load();
        Assert.Equal(_old.SerialNumber, certificate.Current.SerialNumber);

        Directory.Delete(Path.Combine(_folder.FullName, "..data"));
        Directory.CreateSymbolicLink(Path.Combine(_folder.FullName, "..data"), "2");
        await certificate.OnceAsync(Stop);

        Assert.Equal(renewed.SerialNumber, certificate.Current.SerialNumber);
    }

    [Fact]
    public async Task Expiry_is_warned_of_daily_from_14_days_before_it()
    {
        using var soon = ACertificate.For127001(Authority, _time.GetUtcNow().AddDays(15));
        Write(soon);
        using var certificate = Load();
        int Warnings() => _log.Lines.Count(line => line.Id == EventIds.CertificateExpires);
        Assert.Equal(0, Warnings());

        _time.Advance(TimeSpan.FromHours(25));
        await certificate.OnceAsync(Stop);
        await certificate.OnceAsync(Stop);
        Assert.Equal(1, Warnings());
        _time.Advance(TimeSpan.FromHours(24));
        await certificate.OnceAsync(Stop);
        Assert.Equal(2, Warnings());
        using var renewed = ACertificate.For127001(Authority, _time.GetUtcNow().AddDays(90));
        Write(renewed);
        _time.Advance(TimeSpan.FromHours(24));
        await certificate.OnceAsync(Stop);

        Assert.Equal(2, Warnings());
    }

    public void Dispose()
    {
        _old.Dispose();
        _folder.Delete(recursive: true);
    }

    private static X509Certificate2 Valid() => ACertificate.For127001(Authority, DateTimeOffset.UtcNow.AddDays(90));

    private HttpCertificate Load() => new(CertificateFile, KeyFile, _time, _log);

    private void Write(X509Certificate2 certificate)
    {
        File.WriteAllText(CertificateFile, certificate.Pem());
        File.WriteAllText(KeyFile, certificate.KeyPem());
    }

    private void Break(string fault)
    {
        using var other = Valid();
        switch (fault)
        {
            case "wrong key":
                File.WriteAllText(KeyFile, other.KeyPem());
                break;
            case "no PEM":
                File.WriteAllText(CertificateFile, "hello");
                break;
            case "half-written":
                Write(other);
                File.WriteAllText(CertificateFile, other.Pem()[..200]);
                break;
            case "missing":
                File.Delete(CertificateFile);
                break;
            case "expired":
                using (var expired = ACertificate.For127001(Authority, _time.GetUtcNow().AddMinutes(-1)))
                {
                    Write(expired);
                }

                break;
            default:
                Write(other);
                _time.AdjustTime(_time.GetUtcNow().AddDays(-1));
                break;
        }
    }
}
