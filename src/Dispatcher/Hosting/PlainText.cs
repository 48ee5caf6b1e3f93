using Dispatcher.Base;
using Npgsql;

namespace Dispatcher.Hosting;

/// <summary>Warns at start of every setting with which passwords, keys or jobs leave this machine in plain text, or unverified.</summary>
internal static partial class PlainText
{
    public static void Warn(ServerSettings settings, ILogger logger)
    {
        foreach (var (setting, problem, fix) in Found(settings))
        {
            Log.Found(logger, setting, problem, fix);
        }
    }

    internal static IEnumerable<(string Setting, string Problem, string Fix)> Found(ServerSettings settings)
    {
        if (settings.AllowPlainHttp)
        {
            yield return (
                "DISPATCHER_ALLOW_PLAIN_HTTP",
                $"HTTP may listen without TLS beyond this machine ({settings.Urls}), and API keys are then sent in plain text",
                "Let only a proxy that ends TLS, or a private network, reach these addresses"
            );
        }

        if (settings.RabbitMq is { } address && new Uri(address) is { IsLoopback: false, Scheme: "amqp" } broker)
        {
            yield return (
                "DISPATCHER_RABBITMQ",
                $"the connection to {broker.Host} has no TLS: the password and all jobs are sent in plain text",
                "Use amqps:// and the TLS port of the broker (5671)"
            );
        }

        if (settings.Postgres is { } connection && Unverified(new NpgsqlConnectionStringBuilder(connection)) is { } database)
        {
            yield return (
                "DISPATCHER_POSTGRES",
                $"SSL Mode={database.SslMode} does not verify the server at {database.Host}: another machine can take its place",
                "Add SSL Mode=VerifyFull (sslmode=verify-full), and Root Certificate=FILE for a private CA"
            );
        }
    }

    /// <summary>The settings if a host of another machine is not verified. A path is a socket of this machine.</summary>
    private static NpgsqlConnectionStringBuilder? Unverified(NpgsqlConnectionStringBuilder database) =>
        database.SslMode != SslMode.VerifyFull
        && database.Host!.Split(',', StringSplitOptions.TrimEntries).Any(host => host is not ['/' or '@', ..] && !IsLoopback(host))
            ? database
            : null;

    private static bool IsLoopback(string host) =>
        Uri.TryCreate(
            $"tcp://{(host.Count(letter => letter == ':') > 1 && host[0] != '[' ? $"[{host}]" : host)}",
            UriKind.Absolute,
            out var uri
        ) && uri.IsLoopback;

    private static partial class Log
    {
        [LoggerMessage(EventIds.PlainText, LogLevel.Warning, "{Setting}: {Problem}. {Fix}")]
        public static partial void Found(ILogger logger, string setting, string problem, string fix);
    }
}
