using Dispatcher.ReferenceWorker;
using Dispatcher.ReferenceWorker.Logs;

namespace Dispatcher.Base;

/// <summary>
/// The settings of a server: from the command line, else from the file that the variable <c>NAME_FILE</c> names, else from the variable.
/// </summary>
internal sealed record ServerSettings
{
    /// <summary><c>amqp://user:password@host:port/vhost</c>. Null: in memory.</summary>
    public string? RabbitMq { get; init; }

    /// <summary>An Npgsql connection string. Null: SQLite.</summary>
    public string? Postgres { get; init; }

    /// <summary>Folder of the embedded server's database and of its worker's files.</summary>
    public string? DataFolder { get; init; }

    /// <summary>Folder of the policies.</summary>
    public required string PolicyFolder { get; init; }

    /// <summary>The addresses that HTTP listens at, for example <c>http://127.0.0.1:8080</c>.</summary>
    public required string Urls { get; init; }

    /// <summary>
    /// PEM file with the certificate of HTTPS, followed by those of its CAs except the root. Null: no address is <c>https</c>.
    /// </summary>
    public string? TlsCertificateFile { get; init; }

    /// <summary>PEM file with the private key of that certificate, without a passphrase. Null exactly if the certificate is.</summary>
    public string? TlsKeyFile { get; init; }

    /// <summary>Whether plain HTTP may listen beyond this machine. Then API keys are sent in plain text.</summary>
    public bool AllowPlainHttp { get; init; }

    /// <summary>
    /// Becomes an admin key and replaces the admin key of an earlier start. At least 24 characters. Without it the server makes and
    /// replaces no key.
    /// </summary>
    public string? ApiKey { get; init; }

    /// <summary>
    /// Folder of the timeline's checkpoints and of the key that signs them. Null: <c>audit</c> in the data folder, or without a data folder
    /// in the current folder.
    /// </summary>
    public string? AuditFolder { get; init; }

    /// <summary>
    /// The private key that signs checkpoints: PEM, curve P-256. Without it the server uses the key in the audit folder, and makes one
    /// there if it is missing.
    /// </summary>
    public string? AuditKey { get; init; }

    /// <summary>Whether the embedded server runs the reference worker.</summary>
    public bool Worker { get; init; } = true;

    /// <summary>The deployments that the embedded server's worker may run, by name.</summary>
    public IDictionary<string, Recipe> Recipes { get; init; } = new Dictionary<string, Recipe>(StringComparer.Ordinal);

    /// <summary>Whether to migrate at start. The embedded server always does.</summary>
    public bool Migrate { get; init; }

    /// <summary>
    /// The lowest level that is logged: <c>Verbose</c>, <c>Debug</c>, <c>Information</c>, <c>Warning</c>, <c>Error</c> or <c>Fatal</c>.
    /// Default <c>Information</c>. <c>Debug</c> also prints the stack of a failed start.
    /// </summary>
    public string LogLevel { get; init; } = FromEnvironment("DISPATCHER_LOG_LEVEL") ?? "Information";

    /// <summary>
    /// The form of the log: <c>text</c>, or <c>json</c> for one JSON object on each line. Default <c>text</c>.
    /// </summary>
    public string LogFormat { get; init; } = FromEnvironment("DISPATCHER_LOG_FORMAT") ?? LogTargets.Text;

    /// <summary>
    /// A file that the log also goes to. At 100 MiB a new file begins, with a number in its name, and 5 are kept. Default: none.
    /// </summary>
    public string? LogFile { get; init; } = Environment.GetEnvironmentVariable("DISPATCHER_LOG_FILE") is { Length: > 0 } file ? file : null;

    /// <summary>Where the log goes. Null: to standard error. A writer keeps the logs of several servers in one process apart.</summary>
    public TextWriter? LogWriter { get; init; }

    /// <summary>In-memory transport and SQLite: one process, no servers.</summary>
    public bool IsEmbedded => RabbitMq is null;

    /// <summary>A value of the environment, or the content of the file that <c>NAME_FILE</c> names.</summary>
    public static string? FromEnvironment(string name) => FromVariables(name, Environment.GetEnvironmentVariable);

    /// <summary>The same of other variables than those of the process.</summary>
    public static string? FromVariables(string name, Func<string, string?> variable)
    {
        var file = variable(name + "_FILE");
        if (string.IsNullOrEmpty(file))
        {
            return variable(name) is { Length: > 0 } value ? value : null;
        }

        try
        {
            return File.ReadAllText(file).Trim();
        }
        catch (Exception unreadable)
            when (unreadable is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"{name}_FILE names {file}, which cannot be read: {unreadable.Message}",
                "Correct the path, or let this user read the file."
            );
        }
    }
}
