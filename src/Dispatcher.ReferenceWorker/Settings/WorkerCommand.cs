using System.CommandLine;
using System.CommandLine.Help;

namespace Dispatcher.ReferenceWorker.Settings;

/// <summary>The command line of the worker program: its options, its help and its errors.</summary>
internal static class WorkerCommand
{
    public const string RabbitMq = "rabbitmq";
    public const string Url = "url";
    public const string ApiKey = "api-key";
    public const string Pools = "pools";
    public const string Concurrency = "concurrency";
    public const string Instance = "instance";
    public const string StopGrace = "stop-grace";
    public const string Effects = "effects";
    public const string RepoRoot = "repo-root";
    public const string ShellRoot = "shell-root";
    public const string EnvAllow = "env-allow";
    public const string Recipes = "recipes";
    public const string KeyHosts = "key-hosts";
    public const string EgressProxy = "egress-proxy";
    public const string LogFormat = "log-format";
    public const string LogFile = "log-file";

    private const string Footer = """
        Each option can be set by a variable instead: DISPATCHER_ and its name in capitals, for example DISPATCHER_REPO_ROOT.
        Other users of the machine can read arguments. Give secrets by variables, or by files whose paths are in
        DISPATCHER_RABBITMQ_FILE, DISPATCHER_API_KEY_FILE and DISPATCHER_EFFECTS_FILE.
        Exit codes: 0 stopped, 1 a pool could no longer be served, 2 wrong use.

        Example:
          DISPATCHER_RABBITMQ_FILE=/run/secrets/rabbitmq DISPATCHER_API_KEY_FILE=/run/secrets/key \
            dispatcher-worker --url http://dispatcher:8080 --pools shell --shell-root /srv/work

        """;

    /// <summary>One option for each setting, named as the setting. The last value of a repeated option counts.</summary>
    private static readonly Option<string[]>[] Options =
    [
        Option(RabbitMq, "URI", "Broker, amqp://…@host:5672/vhost with user and password (required, secret)."),
        Option(Url, "URL", "HTTP address of the dispatcher (required)."),
        Option(ApiKey, "KEY", "Key whose subject is the broker user (required, secret)."),
        Option(Pools, "LIST", $"Pools to serve, some of {string.Join(",", ReferenceWorkerPools.All)} (default: all)."),
        Option(Concurrency, "N", "Maximum number of concurrent runs in each pool (default: twice the cores)."),
        Option(Instance, "NAME", "Name on the timeline, new for each process (default: host/pid/random)."),
        Option(StopGrace, "SECONDS", "How long runs may continue after the worker begins to stop (default: 20); then they are cancelled."),
        Option(
            Effects,
            "STORE",
            "PostgreSQL connection string (Host=…, secret), postgres:// URL or SQLite file. Needed for calls that change something."
        ),
        Option(RepoRoot, "DIR", "Folder of the git repositories that may be read (required for pool repo)."),
        Option(ShellRoot, "DIR", "Folder that shell jobs run below (required for pool shell)."),
        Option(EnvAllow, "LIST", "Variables that a shell job may set (default: LANG,LC_ALL,TZ)."),
        Option(
            Recipes,
            "FILE",
            """JSON: {"web": {"Env": "prod", "Command": ["deploy", "{version}"], "WorkingFolder": "/srv", "Environment": {}}}."""
        ),
        Option(KeyHosts, "LIST", "Hosts that honour Idempotency-Key, written as in allowed_hosts."),
        Option(EgressProxy, "URL", "Proxy for job.integrations.call (default: none; HTTP_PROXY is not used)."),
        Option(LogFormat, "FORMAT", "text or json: one JSON object for each line (default: text)."),
        Option(LogFile, "FILE", "Also log to this file; 5 files of 100 MiB are kept (default: none)."),
    ];

    /// <summary>The names of all settings.</summary>
    public static IEnumerable<string> Names => Options.Select(option => NameOf(option));

    /// <summary>Each option with its variable and its meaning, for the documents.</summary>
    public static IEnumerable<(string Option, string Variable, string Meaning)> Documented =>
        Options.Select(option => ($"{option.Name} {option.HelpName}", SettingValues.VariableOf(NameOf(option)), option.Description!));

    /// <summary>Reads the arguments. Response files are off, so that a value may begin with <c>@</c>.</summary>
    public static ParseResult Parse(IReadOnlyList<string> arguments)
    {
        var command = new Command("dispatcher-worker", "Runs the jobs of the pools repo, shell, integrations and deploy.")
        {
            new HelpOption(),
        };
        // Reported by ErrorsOf, with the nearest option.
        command.TreatUnmatchedTokensAsErrors = false;
        foreach (var option in Options)
        {
            command.Add(option);
        }

        return command.Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
    }

    public static bool IsHelp(ParseResult call) => call.Action is HelpAction;

    /// <summary>The options with their meanings.</summary>
    public static string Help()
    {
        using var text = new StringWriter();
        Parse(["--help"]).Invoke(new InvocationConfiguration { Output = text, ProcessTerminationTimeout = null });
        return text + Footer;
    }

    /// <summary>The errors of the arguments, with the nearest option for an unknown one. Empty: they can be read.</summary>
    public static IEnumerable<string> ErrorsOf(ParseResult call)
    {
        var unknown = call.UnmatchedTokens.Where(token => token.StartsWith('-')).ToList();
        // The text behind an unknown option is taken for its value.
        var reported = unknown.Count > 0 ? unknown : call.UnmatchedTokens;
        return reported
            .Select(token => $"'{token}' is not an option.{DidYouMean(token)} All options: dispatcher-worker --help.")
            .Concat(call.Errors.Select(error => error.Message));
    }

    /// <summary>The values of the given options, by the name of the setting.</summary>
    public static Dictionary<string, string> Values(ParseResult call) =>
        Options
            .Select(option => (Name: NameOf(option), call.GetResult(option)?.Tokens))
            .Where(option => option.Tokens is { Count: > 0 })
            .ToDictionary(option => option.Name, option => option.Tokens![^1].Value, StringComparer.Ordinal);

    private static string NameOf(Option option) => option.Name[2..];

    private static Option<string[]> Option(string name, string value, string description) =>
        new("--" + name)
        {
            Description = description,
            HelpName = value,
            Arity = ArgumentArity.OneOrMore,
        };

    /// <summary>The option with the fewest edits, unless more than a third of its name differs.</summary>
    private static string DidYouMean(string token)
    {
        var (name, edits) = Names.Select(name => ("--" + name, Edits(token, "--" + name))).MinBy(candidate => candidate.Item2);
        return 3 * edits <= name.Length ? $" Did you mean '{name}'?" : "";
    }

    // Levenshtein distance, row by row.
    private static int Edits(string from, string to)
    {
        var row = Enumerable.Range(0, to.Length + 1).ToArray();
        foreach (var character in from)
        {
            var diagonal = row[0]++;
            for (var i = 1; i < row.Length; i++)
            {
                var replace = diagonal + (character == to[i - 1] ? 0 : 1);
                (diagonal, row[i]) = (row[i], Math.Min(replace, 1 + Math.Min(row[i], row[i - 1])));
            }
        }

        return row[^1];
    }
}
