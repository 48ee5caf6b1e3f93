using System.Net;
using Dispatcher.Base;

namespace Dispatcher.CommandLine;

/// <summary>
/// Checks the addresses that HTTP listens at. Requests contain API keys, so plain HTTP is allowed only within this machine, unless the
/// operator allows more.
/// </summary>
internal static class ListenUrls
{
    public const string Default = "http://127.0.0.1:8080";

    private const string Name = "DISPATCHER_URLS (or --urls)";
    private const string CertificateName = "DISPATCHER_TLS_CERT_FILE (or --tls-cert)";
    private const string KeyName = "DISPATCHER_TLS_KEY_FILE (or --tls-key)";

    /// <exception cref="ExitException">
    /// An address cannot be read, plain HTTP would be reachable from other machines, or the files of the certificate do not fit.
    /// </exception>
    public static void Check(ServerSettings settings)
    {
        (string Text, BindingAddress Address)[] urls =
        [
            .. settings
                .Urls.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
                .DefaultIfEmpty("")
                .Select(url => (url, Parse(url))),
        ];
        CheckCertificate(settings, urls.FirstOrDefault(url => IsHttps(url.Address)).Text);
        if (!settings.AllowPlainHttp && urls.FirstOrDefault(url => IsPlainBeyondMachine(url.Address)).Text is { } plain)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"{Name} has \"{plain}\": other machines could send API keys there in plain text.",
                "Listen at https:// with DISPATCHER_TLS_CERT_FILE and DISPATCHER_TLS_KEY_FILE, or at 127.0.0.1. Behind a proxy that "
                    + "ends TLS, or in a private network, set DISPATCHER_ALLOW_PLAIN_HTTP=true (or --allow-plain-http)."
            );
        }
    }

    /// <summary>An address without a certificate cannot listen. A certificate without an address shows a wrong address.</summary>
    private static void CheckCertificate(ServerSettings settings, string? https)
    {
        var (certificate, key) = (settings.TlsCertificateFile, settings.TlsKeyFile);
        if ((certificate is null) != (key is null) || (certificate is null && https is not null))
        {
            throw new ExitException(
                ExitCode.WrongUse,
                https is null
                    ? $"{(key is null ? CertificateName : KeyName)} is set, and the other file of the pair is not."
                    : $"{Name} has \"{https}\", and HTTPS has no {(certificate is null ? "certificate" : "private key")}.",
                $"Set both {CertificateName} and {KeyName}."
            );
        }

        if (certificate is not null && https is null)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"{CertificateName} is set, and {Name} has no https:// address: \"{settings.Urls}\".",
                "Listen at an https:// address, or remove the certificate from the settings."
            );
        }
    }

    private static BindingAddress Parse(string url)
    {
        try
        {
            var address = BindingAddress.Parse(url);
            return address.Scheme.ToLowerInvariant() is "http" or "https"
                ? address
                : throw new FormatException($"{address.Scheme} is not a scheme of HTTP.");
        }
        catch (FormatException)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"{Name} has \"{url}\", which is not an address to listen at.",
                $"For example {Default}, or https://0.0.0.0:8443 for every network of this machine."
            );
        }
    }

    private static bool IsHttps(BindingAddress address) => address.Scheme.Equals("https", StringComparison.OrdinalIgnoreCase);

    /// <summary>The server listens at every network for each host that is not an IP address or localhost.</summary>
    private static bool IsPlainBeyondMachine(BindingAddress address) =>
        !IsHttps(address)
        && !address.IsUnixPipe
        && !address.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        && !(IPAddress.TryParse(address.Host.Trim('[', ']'), out var ip) && IPAddress.IsLoopback(ip));
}
