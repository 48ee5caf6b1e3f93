using System.CommandLine;

namespace Dispatcher.CommandLine;

/// <summary><c>--postgres</c> of the verbs that change tables.</summary>
internal static class OwnerOption
{
    public static Option<string?> Create() =>
        new("--postgres")
        {
            Description =
                "Npgsql connection string, or a postgres:// URL, of the role that owns the tables. Else DISPATCHER_POSTGRES, or "
                + "DISPATCHER_POSTGRES_FILE with the path of a file: use one of these for one with a password, since other "
                + "users see arguments.",
            HelpName = "CONNECTION",
        };
}
