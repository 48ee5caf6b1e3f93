using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using RabbitMQ.Client;

namespace Dispatcher.Worker.RabbitMq;

/// <summary>
/// The TLS settings of every AMQP and HTTP client: TLS 1.2 or later, and the certificate of the server is verified, its chain and its name.
/// No setting switches that off. The trusted CAs are those of the machine and, on Linux, those of the file in <c>SSL_CERT_FILE</c>.
/// </summary>
internal static class ServerCertificate
{
    public const SslProtocols Versions = SslProtocols.Tls12 | SslProtocols.Tls13;

    /// <summary>The settings of a connection to this host. Null: the host of the HTTP request.</summary>
    public static SslClientAuthenticationOptions Options(string? host) =>
        new()
        {
            TargetHost = host,
            EnabledSslProtocols = Versions,
            RemoteCertificateValidationCallback = Verify,
        };

    /// <summary>Sets this for the connections of a factory whose address is <c>amqps</c>.</summary>
    public static void VerifyFor(ConnectionFactory factory)
    {
        if (factory.Ssl.Enabled)
        {
            // For amqps the library accepts a certificate for another name, unless this is set.
            factory.Ssl = new SslOption(factory.HostName, enabled: true)
            {
                AcceptablePolicyErrors = SslPolicyErrors.None,
                CertificateValidationCallback = Verify,
                Version = Versions,
            };
        }
    }

    /// <summary>Accepts only what .NET accepts; it replaces the message of a refusal.</summary>
    /// <exception cref="ServerCertificateException">The certificate is refused.</exception>
    public static bool Verify(object connection, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors) =>
        errors == SslPolicyErrors.None
            ? true
            : throw Refusal((connection as SslStream)?.TargetHostName ?? "the server", certificate as X509Certificate2, chain, errors);

    /// <summary>Why a connection by TLS failed, and the fix. Null: not because of TLS.</summary>
    public static (string Reason, string Fix)? FaultOf(Exception fault)
    {
        for (var inner = fault; inner is not null; inner = inner.InnerException)
        {
            switch (inner)
            {
                case ServerCertificateException refused:
                    return (refused.Reason, refused.Fix);
                case AuthenticationException when inner.InnerException is not ServerCertificateException:
                    return (
                        $"the TLS handshake failed: {inner.GetBaseException().Message.TrimEnd('.')}",
                        "Check that this is a TLS port (amqps 5671, https) and not one without TLS, and that the server has TLS 1.2 or 1.3."
                    );
            }
        }

        return null;
    }

    private static ServerCertificateException Refusal(string host, X509Certificate2? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (certificate is null || errors.HasFlag(SslPolicyErrors.RemoteCertificateNotAvailable))
        {
            return new($"{host} has sent no certificate", "Configure a certificate on the server.");
        }

        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch))
        {
            return new(
                $"the certificate of {host} is for other names ({Names(certificate)})",
                $"Use one of these names in the address, or issue a certificate with the subjectAltName {host}."
            );
        }

        var status = chain?.ChainStatus.Aggregate(X509ChainStatusFlags.NoError, (all, one) => all | one.Status);
        return status?.HasFlag(X509ChainStatusFlags.NotTimeValid) == true
            ? new(
                $"a certificate of {host} is valid only from {certificate.NotBefore:u} to {certificate.NotAfter:u}, or its CA has expired",
                "Renew the certificate on the server. If it is valid, correct the clock of this machine."
            )
            : new(
                $"the certificate of {host} has no trusted CA ({status}); its issuer is \"{certificate.Issuer}\"",
                "Set SSL_CERT_FILE to the path of a PEM file with the certificate of that CA "
                    + $"(seen: {Environment.GetEnvironmentVariable("SSL_CERT_FILE") ?? "not set"}), or install the CA on this machine."
            );
    }

    private static string Names(X509Certificate2 certificate)
    {
        var names = certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().FirstOrDefault();
        string[] all = [.. names?.EnumerateDnsNames() ?? [], .. names?.EnumerateIPAddresses().Select(ip => $"{ip}") ?? []];
        return all.Length == 0 ? "it has no subjectAltName" : string.Join(", ", all);
    }
}

/// <summary>The certificate of a server is refused.</summary>
internal sealed class ServerCertificateException(string reason, string fix) : AuthenticationException($"{reason}. {fix}")
{
    /// <summary>The cause, without a full stop.</summary>
    public string Reason => reason;

    public string Fix => fix;
}
