using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Dispatcher.UnitTests;

/// <summary>Certificates of a test, made in its process, each with its private key.</summary>
internal static class ACertificate
{
    /// <summary>A CA. With an issuer it is an intermediate one.</summary>
    public static X509Certificate2 Authority(string name, X509Certificate2? issuer = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        var (from, to) = (DateTimeOffset.UtcNow.AddYears(-1), DateTimeOffset.UtcNow.AddYears(1));
        if (issuer is null)
        {
            return request.CreateSelfSigned(from, to);
        }

        using var signed = request.Create(issuer, from.AddDays(1), to.AddDays(-1), RandomNumberGenerator.GetBytes(8));
        return signed.CopyWithPrivateKey(key);
    }

    /// <summary>A server's certificate for 127.0.0.1, valid from an hour ago.</summary>
    public static X509Certificate2 For127001(X509Certificate2 issuer, DateTimeOffset expiresAt)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=test server", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        var from = expiresAt < DateTimeOffset.UtcNow ? expiresAt.AddHours(-1) : DateTimeOffset.UtcNow.AddHours(-1);
        using var signed = request.Create(issuer, from, expiresAt, RandomNumberGenerator.GetBytes(8));
        return signed.CopyWithPrivateKey(key);
    }

    /// <summary>The certificate as PEM, followed by others.</summary>
    public static string Pem(this X509Certificate2 certificate, params X509Certificate2[] others) =>
        string.Concat([certificate.ExportCertificatePem() + "\n", .. others.Select(other => other.ExportCertificatePem() + "\n")]);

    /// <summary>The private key as PEM.</summary>
    public static string KeyPem(this X509Certificate2 certificate)
    {
        using var key = certificate.GetECDsaPrivateKey()!;
        return key.ExportPkcs8PrivateKeyPem();
    }
}
