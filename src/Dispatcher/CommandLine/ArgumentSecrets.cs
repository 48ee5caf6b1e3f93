using System.CommandLine;
using System.Data.Common;

namespace Dispatcher.CommandLine;

/// <summary>
/// Finds passwords and keys in the arguments of a call. Every user of the machine can read the arguments of every process.
/// </summary>
internal static class ArgumentSecrets
{
    /// <summary>The options whose value can contain a secret, each with the equivalent environment variable.</summary>
    private static readonly Dictionary<string, (string Variable, Func<string, bool> HasSecret)> Options = new(StringComparer.Ordinal)
    {
        ["--rabbitmq"] = ("DISPATCHER_RABBITMQ", IsAddressWithPassword),
        ["--postgres"] = ("DISPATCHER_POSTGRES", IsConnectionWithPassword),
        ["--api-key"] = ("DISPATCHER_API_KEY", value => value.Length > 0),
    };

    /// <summary>The warning for a call; does not contain the secrets. Null: the arguments contain none.</summary>
    public static string? WarningFor(ParseResult call)
    {
        var given = call
            .CommandResult.Command.Options.OfType<Option<string?>>()
            .Where(option =>
                Options.TryGetValue(option.Name, out var known) && call.GetValue(option) is { } value && known.HasSecret(value)
            )
            .Select(option => option.Name)
            .ToList();
        return given.Count == 0
            ? null
            : $"warning: other users of this machine can read the secret in {string.Join(" and ", given)} from the list of processes. "
                + $"Set {string.Join(" and ", given.Select(option => Options[option].Variable))} instead, "
                + "or the variable with the suffix _FILE to the path of a file that contains it.";
    }

    private static bool IsAddressWithPassword(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var address) && address.UserInfo.Contains(':', StringComparison.Ordinal);

    private static bool IsConnectionWithPassword(string text)
    {
        if (text.Contains("://", StringComparison.Ordinal))
        {
            // .NET cannot parse a URL with a list of hosts, which may still contain a password.
            return !Uri.TryCreate(text, UriKind.Absolute, out _)
                || IsAddressWithPassword(text)
                || text.Contains("password=", StringComparison.OrdinalIgnoreCase);
        }

        try
        {
            var connection = new DbConnectionStringBuilder { ConnectionString = text };
            return ((string[])["password", "pwd", "psw", "ssl password"]).Any(connection.ContainsKey);
        }
        catch (ArgumentException)
        {
            // Not a connection string: the verb reports that. The text may still be a secret.
            return true;
        }
    }
}
