using System.ComponentModel;
using System.Data.Common;
using System.Reflection;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.RegularExpressions;
using Npgsql;

namespace Dispatcher.Worker.Effects;

/// <summary>
/// Reads the address of a PostgreSQL database: an Npgsql connection string, or a URL as libpq and hosting platforms write it
/// (<c>postgres://user:secret@host:5432/database?sslmode=require</c>; https://www.postgresql.org/docs/current/libpq-connect.html,
/// 34.1.1.2).
/// </summary>
internal static partial class PostgresConnection
{
    /// <summary>Parameters of libpq that have another name in Npgsql. A URL may also use the names of Npgsql.</summary>
    private static readonly Dictionary<string, string> Names = new(StringComparer.OrdinalIgnoreCase)
    {
        ["user"] = "Username",
        ["dbname"] = "Database",
        ["sslmode"] = "SSL Mode",
        ["sslrootcert"] = "Root Certificate",
        ["sslcert"] = "SSL Certificate",
        ["sslkey"] = "SSL Key",
        ["connect_timeout"] = "Timeout",
        ["application_name"] = "Application Name",
        ["target_session_attrs"] = "Target Session Attributes",
        ["channel_binding"] = "Channel Binding",
        ["client_encoding"] = "Client Encoding",
        ["search_path"] = "Search Path",
    };

    /// <summary>Every setting of Npgsql, named as in its documentation.</summary>
    private static readonly string[] Settings =
    [
        .. typeof(NpgsqlConnectionStringBuilder)
            .GetProperties()
            .Select(property => property.GetCustomAttribute<DisplayNameAttribute>()?.DisplayName)
            .OfType<string>(),
    ];

    /// <summary>True for a URL and for a connection string that names a host; false for the path of a file.</summary>
    public static bool IsOne(string text) =>
        UrlStart().IsMatch(text)
        || text.Contains("Host=", StringComparison.OrdinalIgnoreCase)
        || text.Contains("Server=", StringComparison.OrdinalIgnoreCase);

    /// <exception cref="PostgresConnectionException">The text is not the address of a database. The message quotes no secret.</exception>
    public static NpgsqlConnectionStringBuilder Read(string text)
    {
        var builder = new NpgsqlConnectionStringBuilder();
        foreach (
            var (key, value) in UrlStart().Match(text) is { Success: true } start ? OfUrl(text[start.Length..]) : OfConnectionString(text)
        )
        {
            Set(builder, key, value);
        }

        CheckRootCertificate(builder.RootCertificate);
        return string.IsNullOrWhiteSpace(builder.Host) ? throw new PostgresConnectionException("it names no host", "Host") : builder;
    }

    /// <summary>Why a connection failed. Npgsql does not tell why it refuses a certificate, so all causes are listed.</summary>
    public static string Reason(Exception fault)
    {
        for (var inner = fault; inner is not null; inner = inner.InnerException)
        {
            if (inner is AuthenticationException)
            {
                return "the certificate of the server is refused, because it is for another host name, has expired, or has no trusted CA "
                    + "(trusted are Root Certificate=FILE, else the CAs of this machine and SSL_CERT_FILE)";
            }
        }

        return fault.GetBaseException().Message.TrimEnd('.');
    }

    private static void CheckRootCertificate(string? file)
    {
        try
        {
            var certificates = new X509Certificate2Collection();
            certificates.ImportFromPem(file is null ? "" : File.ReadAllText(file));
            if (file is not null && certificates.Count == 0)
            {
                throw new InvalidDataException("it contains no certificate in PEM");
            }
        }
        catch (Exception unusable)
            when (unusable is IOException or UnauthorizedAccessException or InvalidDataException or CryptographicException)
        {
            throw new PostgresConnectionException(
                $"the file of its Root Certificate cannot be used: {unusable.Message}",
                "Root Certificate"
            );
        }
    }

    private static void Set(NpgsqlConnectionStringBuilder builder, string key, string value)
    {
        try
        {
            builder[key] = value;
        }
        catch (ArgumentException unknown) when (unknown.InnerException is KeyNotFoundException)
        {
            throw new PostgresConnectionException($"it has no setting \"{key}\"", key) { Known = Settings };
        }
        catch (Exception bad)
            when (bad is ArgumentException or FormatException or InvalidCastException or OverflowException or NotSupportedException)
        {
            var isSecret =
                key.Contains("pass", StringComparison.OrdinalIgnoreCase)
                || key.StartsWith('p') && key.EndsWith("wd", StringComparison.OrdinalIgnoreCase);
            var seen = isSecret || value.Contains('=', StringComparison.Ordinal) ? "its value" : $"\"{value}\"";
            throw new PostgresConnectionException($"{seen} is not allowed for \"{key}\"", key);
        }
    }

    private static IEnumerable<(string Key, string Value)> OfConnectionString(string text)
    {
        DbConnectionStringBuilder pairs;
        try
        {
            pairs = new DbConnectionStringBuilder { ConnectionString = text };
        }
        catch (ArgumentException)
        {
            throw new PostgresConnectionException("it is neither a list of settings nor a postgres:// URL", null);
        }

        return pairs.Keys.Cast<string>().Select(key => (key, $"{pairs[key]}"));
    }

    private static IEnumerable<(string Key, string Value)> OfUrl(string rest)
    {
        var (path, query) = Split(rest, '?');
        var (authority, database) = Split(path, '/');
        if (database.Contains('@', StringComparison.Ordinal))
        {
            throw new PostgresConnectionException("the password of the URL has a character such as / that must be percent-encoded", null);
        }

        var at = authority.LastIndexOf('@');
        var (user, password) = Split(at < 0 ? "" : authority[..at], ':');
        var hosts = authority[(at + 1)..];
        List<(string Key, string Value)> pairs =
        [
            ("Host", Decode(hosts)),
            ("Username", Decode(user)),
            ("Password", Decode(password)),
            ("Database", Decode(database)),
        ];
        if (LastPort().Match(hosts) is { Success: true } port && !hosts.Contains(',', StringComparison.Ordinal))
        {
            pairs[0] = ("Host", Decode(hosts[..port.Index]).Trim('[', ']'));
            pairs.Add(("Port", port.Value[1..]));
        }

        pairs.AddRange(
            query
                .Split('&', StringSplitOptions.RemoveEmptyEntries)
                .Select(pair => Split(pair, '='))
                .Select(pair => OfQuery(Decode(pair.Before), Decode(pair.After)))
        );
        return pairs.Where(pair => pair.Value.Length > 0);
    }

    private static (string Key, string Value) OfQuery(string name, string value) =>
        (
            Names.GetValueOrDefault(name, name),
            name.Equals("sslmode", StringComparison.OrdinalIgnoreCase) ? value.Replace("-", "", StringComparison.Ordinal) : value
        );

    private static (string Before, string After) Split(string text, char mark) =>
        text.IndexOf(mark, StringComparison.Ordinal) is var at and >= 0 ? (text[..at], text[(at + 1)..]) : (text, "");

    private static string Decode(string text) =>
        BadEscape().IsMatch(text)
            ? throw new PostgresConnectionException("the URL has a % that begins no escape; a % itself is written %25", null)
            : Uri.UnescapeDataString(text);

    [GeneratedRegex("^postgres(ql)?://", RegexOptions.IgnoreCase)]
    private static partial Regex UrlStart();

    [GeneratedRegex(@":[^:\]]*\z")]
    private static partial Regex LastPort();

    [GeneratedRegex("%(?![0-9A-Fa-f]{2})")]
    private static partial Regex BadEscape();
}

/// <summary>
/// A text is not the address of a PostgreSQL database. The message has no secret and completes "the setting is wrong: …".
/// </summary>
internal sealed class PostgresConnectionException(string message, string? key) : Exception(message)
{
    /// <summary>The wrong part. Null: the whole text.</summary>
    public string? Key => key;

    /// <summary>The allowed keys. Empty: the key is known, and its value is wrong.</summary>
    public IReadOnlyList<string> Known { get; init; } = [];
}
