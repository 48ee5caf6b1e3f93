using System.CommandLine;
using Dispatcher.Base;
using Dispatcher.CommandLine.Screens;

namespace Dispatcher.CommandLine;

/// <summary><c>dispatcher serve</c>: the server, embedded or on RabbitMQ and PostgreSQL.</summary>
internal static class ServeVerb
{
    public static Verb Create(Terminal terminal)
    {
        var verb = new Verb(
            "serve",
            "Run the server: on RabbitMQ and PostgreSQL, or embedded in this process with --data. The key in "
                + "DISPATCHER_API_KEY (or the file DISPATCHER_API_KEY_FILE) becomes an admin key and replaces the previous "
                + "one.",
            "DISPATCHER_API_KEY_FILE=/run/secrets/admin-key dispatcher serve --data ./data",
            "DISPATCHER_RABBITMQ_FILE=/run/secrets/rabbitmq DISPATCHER_POSTGRES_FILE=/run/secrets/postgres dispatcher "
                + "serve --urls http://127.0.0.1:8080"
        );
        foreach (var option in ServeSettings.Options)
        {
            verb.Add(option);
        }

        verb.SetAction(
            (call, cancellationToken) =>
                ServerRun.ToExitCodeAsync(terminal, () => ServerRun.UntilStoppedAsync(Settings(call), cancellationToken))
        );
        return verb;
    }

    private static ServerSettings Settings(ParseResult call)
    {
        var settings = ServeSettings.Read(call, wrong => throw wrong);
        ServeSettings.Check(settings, wrong => throw wrong);
        return settings;
    }
}
