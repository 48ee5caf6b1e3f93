using System.CommandLine;
using Dispatcher.Worker;

namespace Dispatcher.ReferenceWorker.Settings;

/// <summary>The settings of the worker program: from the command line, else from the environment. Null: not set.</summary>
internal sealed class WorkerSettings
{
    private WorkerSettings() { }

    public Uri? RabbitMq { get; private init; }

    public Uri? Url { get; private init; }

    public string? ApiKey { get; private init; }

    public required IReadOnlyList<string> Pools { get; init; }

    public int? Concurrency { get; private init; }

    public string? Instance { get; private init; }

    public TimeSpan? StopGrace { get; private init; }

    public string? Effects { get; private init; }

    public string? RepoRoot { get; private init; }

    public string? ShellRoot { get; private init; }

    public IList<string>? EnvironmentAllowlist { get; private init; }

    public IDictionary<string, Recipe>? Recipes { get; private init; }

    public IList<string>? HostsThatHonourKeys { get; private init; }

    public Uri? EgressProxy { get; private init; }

    /// <summary><c>text</c> or <c>json</c>.</summary>
    public required string LogFormat { get; init; }

    /// <summary>The file that the log also goes to. Null: none.</summary>
    public string? LogFile { get; private init; }

    /// <summary>A warning about secrets among the arguments, without the secrets. Null: there are none.</summary>
    public string? Warning { get; private init; }

    /// <summary>Reads all settings. Null: wrong use, and every error is added to <paramref name="errors"/>.</summary>
    public static WorkerSettings? Read(ParseResult call, Func<string, string?> environment, ICollection<string> errors)
    {
        foreach (var error in WorkerCommand.ErrorsOf(call))
        {
            errors.Add(error);
        }

        var values = new SettingValues(WorkerCommand.Values(call), environment, errors);
        var settings = new WorkerSettings
        {
            // A malformed required address reads as missing; the validator of the pool reports it.
            RabbitMq = values.Address(WorkerCommand.RabbitMq),
            Url = values.Address(WorkerCommand.Url),
            ApiKey = values.Text(WorkerCommand.ApiKey),
            Pools = values.PoolList(),
            Concurrency = values.Number(WorkerCommand.Concurrency, "a number"),
            Instance = values.Text(WorkerCommand.Instance),
            StopGrace = values.Number(WorkerCommand.StopGrace, "a number of seconds") is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
            Effects = values.Text(WorkerCommand.Effects),
            RepoRoot = values.Text(WorkerCommand.RepoRoot),
            ShellRoot = values.Text(WorkerCommand.ShellRoot),
            EnvironmentAllowlist = values.List(WorkerCommand.EnvAllow),
            Recipes = values.RecipeFile(),
            HostsThatHonourKeys = values.List(WorkerCommand.KeyHosts),
            EgressProxy = values.RequiredAddress(WorkerCommand.EgressProxy, "http://proxy:3128"),
            LogFormat = values.LogFormat(),
            LogFile = values.LogFile(),
            Warning = values.Warning,
        };
        return errors.Count == 0 ? settings : null;
    }

    public void Configure(WorkerOptions options)
    {
        options.RabbitMq = RabbitMq;
        options.Dispatcher = Url;
        options.ApiKey = ApiKey;
        options.EffectStore = Effects;
        options.Instance = Instance ?? options.Instance;
        options.StopGrace = StopGrace ?? options.StopGrace;
        options.Concurrency = Concurrency ?? options.Concurrency;
    }

    public void Configure(ReferenceWorkerOptions options)
    {
        options.RepoRoot = RepoRoot;
        options.ShellRoot = ShellRoot;
        options.HostsThatHonourKeys = HostsThatHonourKeys ?? options.HostsThatHonourKeys;
        options.EgressProxy = EgressProxy;
        options.EnvironmentAllowlist = EnvironmentAllowlist ?? options.EnvironmentAllowlist;
        options.Recipes = Recipes ?? options.Recipes;
    }
}
