using System.Security.Cryptography.X509Certificates;
using Dispatcher.Base;
using Dispatcher.CommandLine.Policies;
using Dispatcher.Hosting;
using Dispatcher.Policies;
using Dispatcher.Policies.Linting;
using Dispatcher.ReferenceWorker.Logs;
using Dispatcher.Web;
using Microsoft.Extensions.Logging.Abstractions;

namespace Dispatcher.CommandLine.Diagnosing;

/// <summary>Checks of files, folders, certificates and plain-text connections on this machine.</summary>
internal static class FileChecks
{
    private const string TlsKey = "DISPATCHER_TLS_KEY_FILE";

    private static readonly string[] Secrets =
    [
        "DISPATCHER_RABBITMQ_FILE",
        "DISPATCHER_POSTGRES_FILE",
        "DISPATCHER_API_KEY_FILE",
        "DISPATCHER_AUDIT_KEY_FILE",
        TlsKey,
        "DISPATCHER_RABBITMQ_MANAGEMENT_FILE",
    ];

    /// <summary>Returns the pools of the policy folder; empty if it does not load.</summary>
    public static IReadOnlyList<string> Run(Diagnosis diagnosis)
    {
        var settings = diagnosis.Settings;
        foreach (var name in Secrets)
        {
            CheckSecret(diagnosis, name, name == TlsKey ? settings.TlsKeyFile : diagnosis.Variable(name));
        }

        CheckCertificate(diagnosis);
        foreach (var (setting, problem, fix) in PlainText.Found(settings))
        {
            diagnosis.Warning("plain_text", setting, problem, "TLS, and a verified server", fix);
        }

        if (settings.DataFolder is { } data && settings.IsEmbedded)
        {
            CheckWritable(diagnosis, "data_folder", "DISPATCHER_DATA (or --data)", data);
        }

        if (settings.AuditFolder is not null || !settings.IsEmbedded)
        {
            CheckWritable(diagnosis, "audit_folder", "DISPATCHER_AUDIT (or --audit)", settings.AuditFolder ?? "audit");
        }

        return Pools(diagnosis);
    }

    private static void CheckSecret(Diagnosis diagnosis, string name, string? file)
    {
        if (file is null || OperatingSystem.IsWindows() || !File.Exists(file))
        {
            return;
        }

        var mode = File.GetUnixFileMode(file);
        if ((mode & (UnixFileMode.OtherRead | UnixFileMode.OtherWrite)) != 0)
        {
            diagnosis.Warning(
                "secret_readable",
                name,
                $"every user of this machine may read or change {file} (mode {Convert.ToString((int)mode, 8)})",
                "only the user and the group of the server",
                $"chmod o-rwx {file}"
            );
        }
    }

    private static void CheckCertificate(Diagnosis diagnosis)
    {
        if (diagnosis.Settings is not { TlsCertificateFile: { } certificateFile, TlsKeyFile: { } keyFile })
        {
            return;
        }

        try
        {
            using var pair = new HttpCertificate(certificateFile, keyFile, diagnosis.Time, NullLogger<HttpCertificate>.Instance);
            if (pair.ExpiresAt - diagnosis.Time.GetUtcNow() < HttpCertificate.ExpiryWarning)
            {
                diagnosis.Warning(
                    "certificate_expires",
                    "DISPATCHER_TLS_CERT_FILE",
                    $"the certificate in {certificateFile} expires at {pair.ExpiresAt:u}",
                    $"more than {HttpCertificate.ExpiryWarning.TotalDays:0} days",
                    "Renew it and replace both files; a running server uses the new pair without a restart."
                );
            }

            CheckName(diagnosis, certificateFile, pair.Current);
        }
        catch (ExitException unusable)
        {
            diagnosis.Error("certificate", unusable);
        }
    }

    /// <summary>An address such as <c>https://0.0.0.0:8443</c> names no host.</summary>
    private static void CheckName(Diagnosis diagnosis, string file, X509Certificate2 certificate)
    {
        foreach (var url in diagnosis.Settings.Urls.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var isHttps = url.StartsWith("https://", StringComparison.OrdinalIgnoreCase);
            if (isHttps && BindingAddress.Parse(url).Host.Trim('[', ']') is var host && host is not ("0.0.0.0" or "::" or "*" or "+"))
            {
                if (!certificate.MatchesHostname(host))
                {
                    diagnosis.Warning(
                        "certificate_name",
                        "DISPATCHER_TLS_CERT_FILE",
                        $"the certificate in {file} is not for {host}, which DISPATCHER_URLS names",
                        "a subjectAltName of each host that clients use",
                        $"Issue a certificate with the subjectAltName {host}, or listen at a name of the certificate."
                    );
                }
            }
        }
    }

    private static void CheckWritable(Diagnosis diagnosis, string code, string where, string folder)
    {
        if (WritableFolder.Fault(folder) is { } unusable)
        {
            var full = Path.GetFullPath(folder);
            diagnosis.Error(
                code,
                where,
                $"this user cannot write to {full}: {unusable.Message}",
                "a folder that the user of the server may create and write to",
                $"install -d -m 700 -o {Environment.UserName} {full}, or name another folder"
            );
        }
    }

    private static IReadOnlyList<string> Pools(Diagnosis diagnosis)
    {
        const string where = "DISPATCHER_POLICIES (or --policies)";
        var folder = diagnosis.Settings.PolicyFolder;
        try
        {
            var files = LocalPolicies.Read(folder);
            var errors = BundleLint
                .Check(files, diagnosis.Time.GetUtcNow())
                .Where(finding => finding.Severity == LintSeverity.Error)
                .ToList();
            if (errors.Count > 0)
            {
                diagnosis.Error(
                    "policies",
                    where,
                    $"{folder} has {errors.Count} error(s); the first: {errors[0].Where}: {errors[0].Message}",
                    "a folder without errors",
                    $"{errors[0].Fix} \"dispatcher policy lint {folder}\" lists all."
                );
            }

            return [.. Bundle.Load(files).Bundle?.Pools.Keys ?? []];
        }
        catch (ExitException unusable)
        {
            diagnosis.Error("policies", where, unusable.Message, "a folder with topics.yaml and rules/", unusable.Fix);
            return [];
        }
    }
}
