using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Dispatcher.Base;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;

namespace Dispatcher.Web;

/// <summary>
/// The certificate of HTTPS, from two PEM files. Each round reads them again: a renewed pair is used for new connections, and open
/// connections continue. A pair that cannot be used changes nothing, and is logged in the second round that reads it, because programs
/// replace the two files one after the other.
/// </summary>
/// <remarks>The content is compared, so that renamed files and replaced links (Kubernetes) are noticed too.</remarks>
internal sealed partial class HttpCertificate : Loop, IConfigureOptions<KestrelServerOptions>
{
    /// <summary>How often the files are read.</summary>
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);

    /// <summary>From this time before the expiry on, log and status warn.</summary>
    public static readonly TimeSpan ExpiryWarning = TimeSpan.FromDays(14);

    private static readonly TimeSpan ExpiryWarningInterval = TimeSpan.FromDays(1);

    private readonly string _certificateFile;
    private readonly string _keyFile;
    private readonly ILogger _logger;
    private volatile SslStreamCertificateContext _current;
    private string _content;
    private (string? Message, int Rounds) _unusable;
    private DateTimeOffset _warnedAt;

    /// <exception cref="ExitException">The pair cannot be used. The message names the setting and the fix.</exception>
    public HttpCertificate(string certificateFile, string keyFile, TimeProvider time, ILogger<HttpCertificate> logger)
        : base(Period, time, logger)
    {
        (_certificateFile, _keyFile, _logger) = (certificateFile, keyFile, logger);
        try
        {
            (_current, _content) = Read()!.Value;
        }
        catch (UnusableCertificateException unusable)
        {
            throw new ExitException(ExitCode.WrongUse, unusable.Message, unusable.Fix, unusable);
        }

        Loaded();
    }

    /// <summary>The certificate that new connections get.</summary>
    public X509Certificate2 Current => _current.TargetCertificate;

    public void Configure(KestrelServerOptions options) =>
        options.ConfigureHttpsDefaults(https =>
        {
            https.SslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13;
            // Kestrel requires one of its own settings. The context below replaces it: only a context has the whole chain.
            https.ServerCertificateSelector = (_, _) => Current;
            https.OnAuthenticate = (_, connection) =>
            {
                connection.ServerCertificateSelectionCallback = null;
                connection.ServerCertificateContext = _current;
            };
        });

    public override Task OnceAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (Read() is { } renewed)
            {
                // The earlier context is not disposed: a handshake may still use it.
                (_current, _content) = renewed;
                Loaded();
            }

            _unusable = default;
        }
        catch (UnusableCertificateException unusable)
        {
            ReportAtSecondSight(unusable);
        }

        WarnOfExpiry();
        return Task.CompletedTask;
    }

    public DateTimeOffset ExpiresAt => Current.NotAfter.ToUniversalTime();

    private void Loaded()
    {
        Log.Loaded(_logger, _certificateFile, Current.SerialNumber, ExpiresAt);
        _warnedAt = DateTimeOffset.MinValue;
        WarnOfExpiry();
    }

    private void ReportAtSecondSight(UnusableCertificateException unusable)
    {
        _unusable = (unusable.Message, unusable.Message == _unusable.Message ? _unusable.Rounds + 1 : 1);
        if (_unusable.Rounds == 2)
        {
            Log.Unusable(_logger, unusable.Message, unusable.Fix, Current.SerialNumber, ExpiresAt);
        }
    }

    private void WarnOfExpiry()
    {
        var now = Time.GetUtcNow();
        if (ExpiresAt - now < ExpiryWarning && now - _warnedAt >= ExpiryWarningInterval)
        {
            _warnedAt = now;
            Log.Expires(_logger, _certificateFile, ExpiresAt, _keyFile);
        }
    }

    /// <summary>Reads the pair. Null: it is the one in use.</summary>
    private (SslStreamCertificateContext Context, string Content)? Read()
    {
        var certificates = ReadFile("DISPATCHER_TLS_CERT_FILE", _certificateFile);
        var key = ReadFile("DISPATCHER_TLS_KEY_FILE", _keyFile);
        var content = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes($"{certificates}\0{key}")));
        if (content == _content)
        {
            CheckTime(Current);
            return null;
        }

        try
        {
            var chain = new X509Certificate2Collection();
            chain.ImportFromPem(certificates);
            if (chain.Count == 0)
            {
                throw new CryptographicException("the file contains no certificate.");
            }

            using var pair = X509Certificate2.CreateFromPem(certificates, key);
            // On Windows, TLS cannot use the key of a pair from PEM.
            var own = X509CertificateLoader.LoadPkcs12(pair.Export(X509ContentType.Pkcs12), null);
            CheckTime(own);
            return (SslStreamCertificateContext.Create(own, [.. chain.Skip(1)], offline: true), content);
        }
        catch (Exception broken) when (broken is CryptographicException or ArgumentException)
        {
            throw new UnusableCertificateException(
                $"DISPATCHER_TLS_CERT_FILE ({_certificateFile}) and DISPATCHER_TLS_KEY_FILE ({_keyFile}) are not a certificate with "
                    + $"its private key: {broken.Message}",
                "Write the certificate, followed by those of its CAs except the root, into the first file, and its private key without "
                    + "a passphrase into the second, both as PEM."
            );
        }
    }

    private void CheckTime(X509Certificate2 certificate)
    {
        var now = Time.GetUtcNow();
        if (now < certificate.NotBefore.ToUniversalTime() || now >= certificate.NotAfter.ToUniversalTime())
        {
            throw new UnusableCertificateException(
                $"DISPATCHER_TLS_CERT_FILE: the certificate in {_certificateFile} is valid only from "
                    + $"{certificate.NotBefore.ToUniversalTime():u} to {certificate.NotAfter.ToUniversalTime():u}",
                "Renew the certificate. If it is valid, correct the clock of this machine."
            );
        }
    }

    private static string ReadFile(string name, string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (Exception unreadable)
            when (unreadable is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new UnusableCertificateException(
                $"{name} names {file}, which cannot be read: {unreadable.Message}",
                "Correct the path, or let this user read the file."
            );
        }
    }

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.CertificateLoaded,
            LogLevel.Information,
            "HTTPS uses the certificate in {File}, serial number {Serial}, which expires at {ExpiresAt:u}"
        )]
        public static partial void Loaded(ILogger logger, string file, string serial, DateTimeOffset expiresAt);

        [LoggerMessage(
            EventIds.CertificateUnusable,
            LogLevel.Error,
            "The new certificate of HTTPS cannot be used: {Error}. Fix: {Fix} HTTPS continues with serial number {Serial}, "
                + "which expires at {ExpiresAt:u}"
        )]
        public static partial void Unusable(ILogger logger, string error, string fix, string serial, DateTimeOffset expiresAt);

        [LoggerMessage(
            EventIds.CertificateExpires,
            LogLevel.Warning,
            "The certificate of HTTPS in {File} expires at {ExpiresAt:u}. Renew it and replace the file and its key {KeyFile}; "
                + "the server uses the new pair without a restart"
        )]
        public static partial void Expires(ILogger logger, string file, DateTimeOffset expiresAt, string keyFile);
    }

    private sealed class UnusableCertificateException(string message, string fix) : Exception(message)
    {
        public string Fix => fix;
    }
}
