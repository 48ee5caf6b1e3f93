using Dispatcher.ReferenceWorker;

namespace Dispatcher.Base;

/// <summary>
/// The settings of a server: from the command line, else from the environment. A secret may also come from the file that <c>…_FILE</c>
/// names.
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

    /// <summary>The address of the HTTP listener, for example <c>http://127.0.0.1:8080</c>.</summary>
    public required string Urls { get; init; }

    /// <summary>
    /// An admin key to create. It replaces the admin key of an earlier start. Null: no key is created or replaced.
    /// </summary>
    public string? ApiKey { get; init; }

    /// <summary>
    /// Folder of the timeline checkpoints and of the key that signs them. Null: <c>audit</c> in the data folder, or in the current folder
    /// if there is no data folder.
    /// </summary>
    public string? AuditFolder { get; init; }

    /// <summary>
    /// The private key that signs checkpoints: PEM, curve P-256. Null: the key in the audit folder, which is made if missing.
    /// </summary>
    public string? AuditKey { get; init; }

    /// <summary>Whether the embedded server runs the reference worker.</summary>
    public bool Worker { get; init; } = true;

    /// <summary>The recipes that the worker of the embedded server may deploy, by name.</summary>
    public IDictionary<string, Recipe> Recipes { get; init; } = new Dictionary<string, Recipe>(StringComparer.Ordinal);

    /// <summary>Whether to migrate at start. The embedded server always does.</summary>
    public bool Migrate { get; init; }

    /// <summary>
    /// The least important level that is logged: <c>Verbose</c>, <c>Debug</c>, <c>Information</c>, <c>Warning</c>, <c>Error</c>.
    /// </summary>
    public string LogLevel { get; init; } = FromEnvironment("DISPATCHER_LOG_LEVEL") ?? "Information";

    /// <summary>Whether the server runs as one process with in-memory transport and SQLite.</summary>
    public bool IsEmbedded => RabbitMq is null;

    /// <summary>
    /// The value of an environment variable, or the content of the file that <c>NAME_FILE</c> names. Null: neither is set.
    /// </summary>
    public static string? FromEnvironment(string name)
    {
        var file = Environment.GetEnvironmentVariable(name + "_FILE");
        if (string.IsNullOrEmpty(file))
        {
            return Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
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
                "Correct the path, or give this user the right to read the file."
            );
        }
    }
}
