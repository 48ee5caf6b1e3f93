using System.CommandLine;
using Dispatcher.Base;
using Dispatcher.CommandLine.Screens;
using Dispatcher.ReferenceWorker;
using Dispatcher.ReferenceWorker.Logs;
using Dispatcher.Storage;
using Dispatcher.Web;
using Dispatcher.Worker.RabbitMq;

namespace Dispatcher.CommandLine;

/// <summary><c>dispatcher serve</c>: the server, embedded or on RabbitMQ and PostgreSQL.</summary>
internal static class ServeVerb
{
    private static readonly Option<string?> RabbitMq = new("--rabbitmq")
    {
        Description =
            "amqp://user@host:port/vhost. Else DISPATCHER_RABBITMQ, or DISPATCHER_RABBITMQ_FILE with the path of a "
            + "file: use one of these for an address with a password, since other users see arguments.",
        HelpName = "URL",
    };
    private static readonly Option<string?> Postgres = new("--postgres")
    {
        Description =
            "Npgsql connection string, or a postgres:// URL. Else DISPATCHER_POSTGRES, or DISPATCHER_POSTGRES_FILE "
            + "with the path of a file: use one of these for one with a password.",
        HelpName = "CONNECTION",
    };
    private static readonly Option<string?> Data = new("--data")
    {
        Description = "Embedded: folder of the database and of the worker's files. Else DISPATCHER_DATA.",
        HelpName = "DIR",
    };
    private static readonly Option<string?> Policies = new("--policies")
    {
        Description = "Folder with rules/ and topics.yaml. Else DISPATCHER_POLICIES, else policies.",
        HelpName = "DIR",
    };
    private static readonly Option<string?> Audit = new("--audit")
    {
        Description =
            "Folder, outside the database, of the timeline's signed checkpoints and of the key that signs them; made "
            + "for this user alone. Else DISPATCHER_AUDIT, else audit (embedded: in the data folder). The key also from "
            + "DISPATCHER_AUDIT_KEY_FILE.",
        HelpName = "DIR",
    };
    private static readonly Option<string?> Urls = new("--urls")
    {
        Description = $"Where HTTP listens. Else DISPATCHER_URLS, else {DefaultUrl}.",
        HelpName = "URL",
    };
    private static readonly Option<bool> Migrate = new("--migrate")
    {
        Description =
            "Bring the tables up to date first; the role must own them. For development; otherwise run \"dispatcher migrate\" before.",
    };
    private static readonly Option<bool> NoWorker = new("--no-worker")
    {
        Description = "Embedded: do not run the reference worker in this process.",
    };

    private static readonly Option<string?> Recipes = new("--recipes")
    {
        Description =
            "Embedded: JSON file with the commands that job.deploy.apply may run, {\"web\": {\"Env\": \"prod\", "
            + "\"Command\": [\"deploy\", \"{version}\"], \"WorkingFolder\": \"/srv\"}}. Else DISPATCHER_RECIPES, else "
            + "none.",
        HelpName = "FILE",
    };

    private const string DefaultUrl = "http://127.0.0.1:8080";

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
        foreach (var option in new Option[] { RabbitMq, Postgres, Data, Policies, Audit, Urls, Migrate, NoWorker, Recipes })
        {
            verb.Add(option);
        }

        verb.SetAction(
            (call, cancellationToken) =>
                ServerRun.ToExitCodeAsync(terminal, () => ServerRun.UntilStoppedAsync(Settings(call), cancellationToken))
        );
        return verb;
    }

    private static ServerSettings Settings(ParseResult call) =>
        Checked(
            new ServerSettings
            {
                RabbitMq = Server(call, RabbitMq, "DISPATCHER_RABBITMQ"),
                Postgres = Server(call, Postgres, "DISPATCHER_POSTGRES") is { } postgres ? PostgresSetting.Read(postgres) : null,
                DataFolder = call.GetValue(Data) ?? ServerSettings.FromEnvironment("DISPATCHER_DATA"),
                PolicyFolder = call.GetValue(Policies) ?? ServerSettings.FromEnvironment("DISPATCHER_POLICIES") ?? "policies",
                AuditFolder = call.GetValue(Audit) ?? ServerSettings.FromEnvironment("DISPATCHER_AUDIT"),
                AuditKey = ServerSettings.FromEnvironment("DISPATCHER_AUDIT_KEY"),
                Urls = call.GetValue(Urls) ?? ServerSettings.FromEnvironment("DISPATCHER_URLS") ?? DefaultUrl,
                ApiKey = ServerSettings.FromEnvironment("DISPATCHER_API_KEY"),
                Migrate = call.GetValue(Migrate),
                Worker = !call.GetValue(NoWorker),
                Recipes = ReadRecipes(call.GetValue(Recipes) ?? ServerSettings.FromEnvironment("DISPATCHER_RECIPES")),
            }
        );

    /// <summary>With <c>--data</c>, the addresses in the environment are ignored: the server is embedded.</summary>
    private static string? Server(ParseResult call, Option<string?> option, string name) =>
        call.GetValue(option) ?? (call.GetValue(Data) is null ? ServerSettings.FromEnvironment(name) : null);

    private static void CheckUrls(string urls)
    {
        foreach (var url in urls.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).DefaultIfEmpty(""))
        {
            try
            {
                _ = BindingAddress.Parse(url);
            }
            catch (FormatException)
            {
                throw new ExitException(
                    ExitCode.WrongUse,
                    $"DISPATCHER_URLS (or --urls) has \"{url}\", which is not an address to listen at.",
                    $"For example {DefaultUrl}, or http://0.0.0.0:8080 for every network of this machine."
                );
            }
        }
    }

    private static void CheckLog(ServerSettings settings)
    {
        if (!Enum.TryParse<Serilog.Events.LogEventLevel>(settings.LogLevel, ignoreCase: true, out _))
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"DISPATCHER_LOG_LEVEL is \"{settings.LogLevel}\", which is not a log level.",
                "Allowed are Verbose, Debug, Information, Warning, Error and Fatal."
            );
        }

        if (LogTargets.FormatFault(settings.LogFormat) is { } format)
        {
            throw new ExitException(ExitCode.WrongUse, $"DISPATCHER_LOG_FORMAT {format}.", "Set it to text or json, or leave it out.");
        }

        if (settings.LogFile is { } file && LogTargets.FileFault(file) is { } fault)
        {
            throw new ExitException(ExitCode.WrongUse, $"DISPATCHER_LOG_FILE {fault}", "Name a file that this user may write to.");
        }
    }

    private static IDictionary<string, Recipe> ReadRecipes(string? file)
    {
        try
        {
            return file is null ? new Dictionary<string, Recipe>() : Recipe.Read(file);
        }
        catch (InvalidDataException unusable)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"--recipes: {unusable.Message}",
                "Name a JSON file as \"dispatcher serve --help\" shows it."
            );
        }
    }

    private static ServerSettings Checked(ServerSettings settings)
    {
        if ((settings.RabbitMq is null) != (settings.Postgres is null))
        {
            throw new ExitException(
                ExitCode.WrongUse,
                "The server needs RabbitMQ and PostgreSQL together; one of them is not set.",
                "Set both DISPATCHER_RABBITMQ and DISPATCHER_POSTGRES, or neither and give --data for an embedded server."
            );
        }

        if (settings.RabbitMq is null && settings.DataFolder is null)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                "No database is set.",
                "Give --data DIR for an embedded server, or set DISPATCHER_RABBITMQ and DISPATCHER_POSTGRES."
            );
        }

        if (settings.RabbitMq is { } broker && BrokerAddress.Fault(broker) is { } fault)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"DISPATCHER_RABBITMQ (or --rabbitmq) is not an AMQP address: it {fault}.",
                $"For example {BrokerAddress.Example}."
            );
        }

        if (string.IsNullOrWhiteSpace(settings.PolicyFolder))
        {
            throw new ExitException(
                ExitCode.WrongUse,
                "DISPATCHER_POLICIES (or --policies) is empty.",
                "Name the folder with rules/ and topics.yaml."
            );
        }

        CheckUrls(settings.Urls);
        CheckLog(settings);
        if (settings.ApiKey is { } key && KeyStrength.WhyWeak(key) is { } weak)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"DISPATCHER_API_KEY is too weak for an admin key: {weak}.",
                "Make one with \"openssl rand -hex 32\"."
            );
        }

        return settings;
    }
}
