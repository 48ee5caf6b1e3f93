using Dispatcher.Contracts;
using Dispatcher.ReferenceWorker.Settings;
using Microsoft.Extensions.Options;

namespace Dispatcher.ReferenceWorker;

/// <summary>The folders, variables, hosts and recipes that the reference handlers may use. Validated at start.</summary>
public sealed class ReferenceWorkerOptions
{
    /// <summary>
    /// The folder whose git repositories <c>job.repo.read</c> may read. No default, because the operator chooses what may be read. Required
    /// for pool <c>repo</c>.
    /// </summary>
    public string? RepoRoot { get; set; }

    /// <summary>The folder below which <c>job.exec.shell</c> runs. No default, as above. Required for pool <c>shell</c>.</summary>
    public string? ShellRoot { get; set; }

    /// <summary>
    /// The environment variables that a shell job may set, by exact name. Default <c>LANG</c>, <c>LC_ALL</c>, <c>TZ</c>, which are
    /// harmless.
    /// <c>PATH</c> and <c>LD_*</c> are dangerous, because they choose what code runs.
    /// </summary>
    public IList<string> EnvironmentAllowlist { get; set; } = ["LANG", "LC_ALL", "TZ"];

    /// <summary>
    /// Hosts that drop a second request with the same <c>Idempotency-Key</c>, written as in <c>allowed_hosts</c>. A call to them that is in
    /// doubt is repeated. Default none: such a call becomes a dead letter for a person. PUT and DELETE are always repeated (RFC 9110,
    /// 9.2.2).
    /// </summary>
    public IList<string> HostsThatHonourKeys { get; set; } = [];

    /// <summary>
    /// The proxy of <c>job.integrations.call</c>, for example <c>http://proxy:3128</c>; calls to the loopback address do not use it.
    /// Default null: none. <c>HTTP_PROXY</c> and similar variables are ignored, because that proxy would see the secrets of every call.
    /// </summary>
    public Uri? EgressProxy { get; set; }

    /// <summary>The deployments that <c>job.deploy.apply</c> may run, by name. Default none.</summary>
    public IDictionary<string, Recipe> Recipes { get; set; } = new Dictionary<string, Recipe>(StringComparer.Ordinal);
}

/// <summary>Reports every setting that the served pools require and that is missing or wrong.</summary>
internal sealed class ReferenceWorkerOptionsValidator(IReadOnlyList<string> pools) : IValidateOptions<ReferenceWorkerOptions>
{
    public ValidateOptionsResult Validate(string? name, ReferenceWorkerOptions options)
    {
        List<string> errors = [];
        if (pools.Contains(ReferenceWorkerPools.Repo))
        {
            RequireFolder(errors, "RepoRoot", options.RepoRoot, "pool 'repo'");
        }

        if (pools.Contains(ReferenceWorkerPools.Shell))
        {
            RequireFolder(errors, "ShellRoot", options.ShellRoot, "pool 'shell'");
        }

        errors.AddRange(
            options
                .HostsThatHonourKeys.Where(host => !AllowedHosts.IsWellFormed(host))
                .Select(host => $"HostsThatHonourKeys has '{host}'; allowed: {AllowedHosts.Words}.")
        );
        if (options.EgressProxy is { } proxy && proxy is not { IsAbsoluteUri: true, Scheme: "http" or "https" or "socks5" })
        {
            errors.Add($"EgressProxy must be an address such as http://proxy:3128 (seen: {proxy}).");
        }

        foreach (var (key, recipe) in options.Recipes)
        {
            RequireFolder(errors, "WorkingFolder", recipe.WorkingFolder, $"recipe '{key}'");
            if (recipe.Env.Length == 0)
            {
                errors.Add($"Env of recipe '{key}' is missing: name the environment that it deploys to.");
            }

            if (recipe.Command.Count == 0 || recipe.Command[0].Contains("{version}", StringComparison.Ordinal))
            {
                errors.Add($"Command of recipe '{key}' must begin with a program, and the program must not contain {{version}}.");
            }
        }

        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }

    private static void RequireFolder(List<string> errors, string option, string? folder, string forWhat)
    {
        if (folder is null || !Path.IsPathFullyQualified(folder) || !Directory.Exists(folder))
        {
            errors.Add($"{option} of {forWhat} must be the full path of a folder that exists (seen: {folder ?? "nothing"}).");
        }
    }
}
