using Dispatcher.Base;
using Dispatcher.Policies.Texts;
using Dispatcher.Worker.Effects;
using Npgsql;

namespace Dispatcher.Storage;

/// <summary>The setting that names the PostgreSQL database, the same for every verb.</summary>
internal static class PostgresSetting
{
    public const string Name = "DISPATCHER_POSTGRES (or --postgres)";

    private const string Example =
        "Give \"Host=db;Port=5432;Database=dispatcher;Username=dispatcher_serve;Password=…\" "
        + "or \"postgres://dispatcher_serve:…@db:5432/dispatcher\".";

    /// <summary>Reads a connection string or a URL. Returns an Npgsql connection string.</summary>
    /// <exception cref="ExitException">The setting is neither of the two. The message contains no secret.</exception>
    public static string Read(string given)
    {
        try
        {
            return PostgresConnection.Read(given).ConnectionString;
        }
        catch (PostgresConnectionException wrong)
        {
            var meant = wrong.Known.Count > 0 && Nearest.To(wrong.Key!, wrong.Known) is { } nearest ? $"Did you mean \"{nearest}\"? " : "";
            throw new ExitException(ExitCode.WrongUse, $"{Name} is not a PostgreSQL connection: {wrong.Message}.", meant + Example);
        }
    }

    /// <summary>Host and port, <c>db:5432</c>; the first of several.</summary>
    public static string Host(string connectionString)
    {
        var to = new NpgsqlConnectionStringBuilder(connectionString);
        var first = to.Host!.Split(',')[0];
        return first.Contains(':', StringComparison.Ordinal) ? first : $"{first}:{to.Port}";
    }

    /// <summary>The target without secrets: <c>dispatcher_serve@db:5432/dispatcher</c>.</summary>
    public static string Shown(string connectionString)
    {
        var to = new NpgsqlConnectionStringBuilder(connectionString);
        var user = string.IsNullOrEmpty(to.Username) ? Environment.UserName : to.Username;
        var port = to.Host!.Contains(',', StringComparison.Ordinal) ? "" : $":{to.Port}";
        return $"{user}@{to.Host}{port}/{(string.IsNullOrEmpty(to.Database) ? user : to.Database)}";
    }
}
