using System.CommandLine;
using Dispatcher.Base;
using Dispatcher.ReferenceWorker;
using Dispatcher.ReferenceWorker.Logs;
using Dispatcher.Storage;
using Dispatcher.Web;
using Dispatcher.Worker.RabbitMq;

namespace Dispatcher.CommandLine;

/// <summary>
/// The settings of <c>dispatcher serve</c>, which <c>dispatcher doctor</c> reads too. Each error goes to an action: <c>serve</c> throws the
/// first, and <c>doctor</c> collects all.
/// </summary>
internal static class ServeSettings
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
        Description = $"Where HTTP listens. Else DISPATCHER_URLS, else {ListenUrls.Default}.",
        HelpName = "URL",
    };
    private static readonly Option<string?> TlsCertificate = new("--tls-cert")
    {
        Description =
            "PEM file with the certificate of https:// addresses, followed by those of its CAs except the root. A changed file is used "
            + "within seconds, without a restart. Else DISPATCHER_TLS_CERT_FILE.",
        HelpName = "FILE",
    };
    private static readonly Option<string?> TlsKey = new("--tls-key")
    {
        Description = "PEM file with its private key, without a passphrase. Else DISPATCHER_TLS_KEY_FILE.",
        HelpName = "FILE",
    };
    private static readonly Option<bool> AllowPlainHttp = new("--allow-plain-http")
    {
        Description =
            "Allow http:// beyond this machine, for example behind a proxy that ends TLS: API keys are then sent in plain text. "
            + "Else DISPATCHER_ALLOW_PLAIN_HTTP (true or false), else false.",
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

    public static IReadOnlyList<Option> Options { get; } =
    [RabbitMq, Postgres, Data, Policies, Audit, Urls, TlsCertificate, TlsKey, AllowPlainHttp, Migrate, NoWorker, Recipes];

    /// <summary>Reads options, variables and files. A setting that cannot be read is missing in the result.</summary>
    public static ServerSettings Read(ParseResult call, Action<ExitException> wrong)
    {
        return new ServerSettings
        {
            RabbitMq = Try(() => Server(call, RabbitMq, "DISPATCHER_RABBITMQ")),
            Postgres = Try(() => Server(call, Postgres, "DISPATCHER_POSTGRES") is { } postgres ? PostgresSetting.Read(postgres) : null),
            DataFolder = Try(() => call.GetValue(Data) ?? ServerSettings.FromEnvironment("DISPATCHER_DATA")),
            PolicyFolder = Try(() => call.GetValue(Policies) ?? ServerSettings.FromEnvironment("DISPATCHER_POLICIES")) ?? "policies",
            AuditFolder = Try(() => call.GetValue(Audit) ?? ServerSettings.FromEnvironment("DISPATCHER_AUDIT")),
            AuditKey = Try(() => ServerSettings.FromEnvironment("DISPATCHER_AUDIT_KEY")),
            Urls = Try(() => call.GetValue(Urls) ?? ServerSettings.FromEnvironment("DISPATCHER_URLS")) ?? ListenUrls.Default,
            TlsCertificateFile = call.GetValue(TlsCertificate) ?? Variable("DISPATCHER_TLS_CERT_FILE"),
            TlsKeyFile = call.GetValue(TlsKey) ?? Variable("DISPATCHER_TLS_KEY_FILE"),
            AllowPlainHttp = call.GetValue(AllowPlainHttp) || Try(() => IsTrue("DISPATCHER_ALLOW_PLAIN_HTTP")),
            ApiKey = Try(() => ServerSettings.FromEnvironment("DISPATCHER_API_KEY")),
            Migrate = call.GetValue(Migrate),
            Worker = !call.GetValue(NoWorker),
            Recipes =
                Try(() => ReadRecipes(call.GetValue(Recipes) ?? ServerSettings.FromEnvironment("DISPATCHER_RECIPES")))
                ?? new Dictionary<string, Recipe>(),
        };

        T? Try<T>(Func<T?> read)
        {
            try
            {
                return read();
            }
            catch (ExitException unreadable)
            {
                wrong(unreadable);
                return default;
            }
        }
    }

    /// <summary>Checks values that can be read. It connects to nothing.</summary>
    public static void Check(ServerSettings settings, Action<ExitException> wrong)
    {
        foreach (var check in (Action<ServerSettings>[])[CheckServers, CheckBroker, CheckFolder, ListenUrls.Check, CheckLog, CheckKey])
        {
            try
            {
                check(settings);
            }
            catch (ExitException found)
            {
                wrong(found);
            }
        }
    }

    /// <summary>With <c>--data</c>, the addresses in the environment are ignored: the server is embedded.</summary>
    private static string? Server(ParseResult call, Option<string?> option, string name) =>
        call.GetValue(option) ?? (call.GetValue(Data) is null ? ServerSettings.FromEnvironment(name) : null);

    /// <summary>The path of a file, not its content: the server reads it again when it changes.</summary>
    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } path ? path : null;

    private static bool IsTrue(string name) =>
        ServerSettings.FromEnvironment(name)?.ToLowerInvariant() switch
        {
            null or "false" => false,
            "true" => true,
            var other => throw new ExitException(
                ExitCode.WrongUse,
                $"{name} is \"{other}\", which is neither true nor false.",
                $"Set {name}=true or {name}=false."
            ),
        };

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

    private static void CheckServers(ServerSettings settings)
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
    }

    private static void CheckBroker(ServerSettings settings)
    {
        if (settings.RabbitMq is { } broker && BrokerAddress.Fault(broker) is { } fault)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"DISPATCHER_RABBITMQ (or --rabbitmq) is not an AMQP address: it {fault}.",
                $"For example {BrokerAddress.Example}."
            );
        }
    }

    private static void CheckFolder(ServerSettings settings)
    {
        if (string.IsNullOrWhiteSpace(settings.PolicyFolder))
        {
            throw new ExitException(
                ExitCode.WrongUse,
                "DISPATCHER_POLICIES (or --policies) is empty.",
                "Name the folder with rules/ and topics.yaml."
            );
        }
    }

    private static void CheckKey(ServerSettings settings)
    {
        if (settings.ApiKey is { } key && KeyStrength.WhyWeak(key) is { } weak)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"DISPATCHER_API_KEY is too weak for an admin key: {weak}.",
                "Make one with \"openssl rand -hex 32\"."
            );
        }
    }
}
