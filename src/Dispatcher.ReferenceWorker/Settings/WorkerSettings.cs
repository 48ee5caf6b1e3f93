using Dispatcher.Worker;
using Microsoft.Extensions.Options;

namespace Dispatcher.ReferenceWorker.Settings;

/// <summary>
/// The settings of the worker program, from the command line, else from the environment. Wrong ones are named all at once.
/// </summary>
internal sealed class WorkerSettings
{
    public const string Help = """
        dispatcher-worker: runs job.repo.read, job.exec.shell, job.integrations.call and job.deploy.apply.

          --rabbitmq URI        DISPATCHER_RABBITMQ      broker, amqp://…@host:5672/vhost with user and password (required, secret)
          --url URL             DISPATCHER_URL           the dispatcher's HTTP address (required)
          --api-key KEY         DISPATCHER_API_KEY       key whose subject is the broker user (required, secret)
          --pools LIST          DISPATCHER_POOLS         some of repo,shell,integrations,deploy (default: all)
          --concurrency N       DISPATCHER_CONCURRENCY   runs at a time in each pool (default: twice the cores)
          --instance NAME       DISPATCHER_INSTANCE      name on the timeline, new for each process (default: host/pid/random)
          --stop-grace SECONDS  DISPATCHER_STOP_GRACE    how long runs may go on when it stops (default: 20); what outlives it is cancelled
          --effects STORE       DISPATCHER_EFFECTS       PostgreSQL connection string (Host=…, secret), postgres:// URL or SQLite file; needed for calls that change something
          --repo-root DIR       DISPATCHER_REPO_ROOT     git repositories that may be read (required for pool repo)
          --shell-root DIR      DISPATCHER_SHELL_ROOT    folder that shell jobs run below (required for pool shell)
          --env-allow LIST      DISPATCHER_ENV_ALLOW     variables a shell job may set (default: LANG,LC_ALL,TZ)
          --recipes FILE        DISPATCHER_RECIPES       JSON: {"web": {"Env": "prod", "Command": ["deploy", "{version}"], "WorkingFolder": "/srv", "Environment": {}}}
          --key-hosts LIST      DISPATCHER_KEY_HOSTS     hosts that honour Idempotency-Key, written as in allowed_hosts
          --egress-proxy URL    DISPATCHER_EGRESS_PROXY  proxy for job.integrations.call (default: none; HTTP_PROXY is not used)

        Other users of the machine can read arguments. Give secrets by variables, or by files: DISPATCHER_RABBITMQ_FILE, DISPATCHER_API_KEY_FILE, DISPATCHER_EFFECTS_FILE.

        Example:
          DISPATCHER_RABBITMQ_FILE=/run/secrets/rabbitmq DISPATCHER_API_KEY_FILE=/run/secrets/key dispatcher-worker --url http://dispatcher:8080 --pools shell --shell-root /srv/work
        """;

    private const string Prefix = "DISPATCHER_";

    private static readonly string[] Names =
    [
        "rabbitmq",
        "url",
        "api-key",
        "pools",
        "concurrency",
        "instance",
        "stop-grace",
        "effects",
        "repo-root",
        "shell-root",
        "env-allow",
        "recipes",
        "key-hosts",
        "egress-proxy",
    ];

    private readonly Dictionary<string, string> _values = new(StringComparer.Ordinal);
    private readonly SortedSet<string> _secretArguments = new(StringComparer.Ordinal);

    private WorkerSettings() { }

    /// <summary>What to say about secrets among the arguments, without them. Null: there are none.</summary>
    public string? Warning =>
        _secretArguments.Count == 0
            ? null
            : $"Other users of this machine can read the secret in {string.Join(" and ", _secretArguments.Select(name => "--" + name))} from the list of processes. "
                + $"Set {string.Join(" and ", _secretArguments.Select(VariableOf))} instead, or the same with _FILE to the path of a file that holds it.";

    public IReadOnlyList<string> Pools => Has("pools") ? List("pools") : ReferenceWorkerPools.All;

    /// <summary>Null, and every error written to <paramref name="errors"/>: wrong use.</summary>
    public static WorkerSettings? Read(IReadOnlyList<string> arguments, Func<string, string?> environment, ICollection<string> errors)
    {
        var settings = new WorkerSettings();
        foreach (var name in Names)
        {
            settings.ReadEnvironment(name, environment, errors);
        }

        for (var i = 0; i < arguments.Count; i += 2)
        {
            var name = arguments[i].StartsWith("--", StringComparison.Ordinal) ? arguments[i][2..] : "";
            if (!Names.Contains(name))
            {
                errors.Add($"'{arguments[i]}' is unknown; --help lists what there is.");
            }
            else if (i + 1 == arguments.Count)
            {
                errors.Add($"'{arguments[i]}' needs a value.");
            }
            else
            {
                settings._values[name] = arguments[i + 1];
                settings.NoteSecret(name);
            }
        }

        settings.Check(errors);
        return errors.Count == 0 ? settings : null;
    }

    public void Configure(WorkerOptions options)
    {
        options.RabbitMq = Address("rabbitmq");
        options.Dispatcher = Address("url");
        options.ApiKey = _values.GetValueOrDefault("api-key");
        options.EffectStore = _values.GetValueOrDefault("effects");
        options.Instance = _values.GetValueOrDefault("instance") ?? options.Instance;
        options.StopGrace = Has("stop-grace")
            ? TimeSpan.FromSeconds(int.Parse(_values["stop-grace"], System.Globalization.CultureInfo.InvariantCulture))
            : options.StopGrace;
        options.Concurrency = Has("concurrency")
            ? int.Parse(_values["concurrency"], System.Globalization.CultureInfo.InvariantCulture)
            : options.Concurrency;
    }

    public void Configure(ReferenceWorkerOptions options)
    {
        options.RepoRoot = _values.GetValueOrDefault("repo-root");
        options.ShellRoot = _values.GetValueOrDefault("shell-root");
        options.HostsThatHonourKeys = Has("key-hosts") ? List("key-hosts") : options.HostsThatHonourKeys;
        options.EgressProxy = Address("egress-proxy");
        options.EnvironmentAllowlist = Has("env-allow") ? List("env-allow") : options.EnvironmentAllowlist;
        if (Has("recipes"))
        {
            options.Recipes = ReadRecipes(_values["recipes"]);
        }
    }

    private static IDictionary<string, Recipe> ReadRecipes(string file)
    {
        try
        {
            return Recipe.Read(file);
        }
        catch (InvalidDataException unusable)
        {
            throw new OptionsValidationException(
                nameof(ReferenceWorkerOptions.Recipes),
                typeof(ReferenceWorkerOptions),
                [$"--recipes: {unusable.Message} Name a JSON file such as {{\"web\": {{\"Env\": \"prod\", \"Command\": [\"deploy\"]}}}}."]
            );
        }
    }

    private static string VariableOf(string name) => Prefix + name.Replace('-', '_').ToUpperInvariant();

    private void NoteSecret(string name)
    {
        var value = _values[name];
        var isSecret = name switch
        {
            "api-key" => true,
            "rabbitmq" => value.Contains('@', StringComparison.Ordinal) && value.Split('@')[0].Count(character => character == ':') > 1,
            "effects" => value.Contains("password", StringComparison.OrdinalIgnoreCase)
                || value.Contains("pwd", StringComparison.OrdinalIgnoreCase)
                || (value.Contains("://", StringComparison.Ordinal) && value.Contains('@', StringComparison.Ordinal)),
            _ => false,
        };
        if (isSecret)
        {
            _secretArguments.Add(name);
        }
    }

    private void ReadEnvironment(string name, Func<string, string?> environment, ICollection<string> errors)
    {
        var variable = VariableOf(name);
        if (environment(variable) is { Length: > 0 } value)
        {
            _values[name] = value;
        }
        else if (environment(variable + "_FILE") is { Length: > 0 } file)
        {
            if (File.Exists(file))
            {
                _values[name] = File.ReadAllText(file).Trim();
            }
            else
            {
                errors.Add($"{variable}_FILE names '{file}', which does not exist.");
            }
        }
    }

    private void Check(ICollection<string> errors)
    {
        foreach (var pool in Pools.Where(pool => !ReferenceWorkerPools.All.Contains(pool)))
        {
            errors.Add($"'{pool}' is no pool (known: {string.Join(", ", ReferenceWorkerPools.All)}).");
        }

        if (Has("concurrency") && !int.TryParse(_values["concurrency"], out _))
        {
            errors.Add($"concurrency must be a number, not '{_values["concurrency"]}'.");
        }

        if (Has("stop-grace") && !int.TryParse(_values["stop-grace"], out _))
        {
            errors.Add($"stop-grace must be a number of seconds, not '{_values["stop-grace"]}'.");
        }

        if (Has("egress-proxy") && Address("egress-proxy") is null)
        {
            errors.Add($"egress-proxy must be an address such as http://proxy:3128, not '{_values["egress-proxy"]}'.");
        }

        if (Has("recipes") && !File.Exists(_values["recipes"]))
        {
            errors.Add($"recipes names '{_values["recipes"]}', which does not exist.");
        }
    }

    private bool Has(string name) => _values.ContainsKey(name);

    private List<string> List(string name) =>
        [.. _values[name].Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)];

    private Uri? Address(string name) => Uri.TryCreate(_values.GetValueOrDefault(name), UriKind.Absolute, out var address) ? address : null;
}
