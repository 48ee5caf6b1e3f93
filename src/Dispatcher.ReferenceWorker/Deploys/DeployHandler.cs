using System.Text.RegularExpressions;
using Dispatcher.ReferenceWorker.Payloads;
using Dispatcher.ReferenceWorker.Processes;
using Dispatcher.Worker;
using Microsoft.Extensions.Options;

namespace Dispatcher.ReferenceWorker.Deploys;

/// <summary>
/// <c>job.deploy.apply</c>: runs a recipe from this worker's configuration. Payload <c>{"recipe": "web", "version": "1.2.3"}</c>: a
/// message names a recipe and cannot bring a command. The job's label <c>env</c> must equal that of the recipe, so that an approval for
/// one environment cannot deploy to another.
/// Result <c>{"exit_code", "stdout", "truncated"}</c>. The recipe's standard error is for the operator: when the recipe fails, it goes
/// to the worker's log.
/// </summary>
internal sealed partial class DeployHandler(Programs programs, IOptions<ReferenceWorkerOptions> options) : IJobHandler
{
    public async Task<JobResult> RunAsync(JobRun run, CancellationToken cancellationToken)
    {
        var payload = new PayloadReader(run.Payload);
        var name = payload.RequiredText("recipe");
        var version = payload.RequiredText("version");
        payload.Require(
            version.Length == 0 || Version().IsMatch(version),
            "'version' must be 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-', and not start with '-'"
        );
        payload.Done();
        if (!options.Value.Recipes.TryGetValue(name, out var recipe))
        {
            throw JobFaultException.Terminal(
                "unknown_recipe",
                $"This worker has no recipe '{name}' (known: {string.Join(", ", options.Value.Recipes.Keys.Order())})."
            );
        }

        var env = run.Labels.GetValueOrDefault("env");
        if (!string.Equals(env, recipe.Env, StringComparison.Ordinal))
        {
            throw JobFaultException.Terminal(
                "wrong_env",
                $"Recipe '{name}' is for env '{recipe.Env}', and the job's label env is '{env ?? "(missing)"}'."
            );
        }

        var spec = new ProcessSpec
        {
            Program =
                ChildProcess.Find(recipe.Command[0])
                ?? throw JobFaultException.Terminal(
                    "command_not_found",
                    $"'{recipe.Command[0]}' of recipe '{name}' was not found on this worker."
                ),
            Arguments = [.. recipe.Command.Skip(1).Select(argument => argument.Replace("{version}", version, StringComparison.Ordinal))],
            WorkingFolder = recipe.WorkingFolder,
            Environment = EnvironmentOf(recipe),
            MaxOutputBytes = run.MaxOutputBytes,
        };
        var result = await programs.RunAsync(run, spec, cancellationToken);
        return result.ExitCode == 0
            ? result.ToJobResult(run.MaxOutputBytes, withStderr: false)
            : throw result.Fault(null, programs.Keep(run, result));
    }

    private static Dictionary<string, string> EnvironmentOf(Recipe recipe)
    {
        Dictionary<string, string> environment = new(recipe.Environment, StringComparer.Ordinal);
        environment.TryAdd("PATH", Environment.GetEnvironmentVariable("PATH") ?? "/usr/bin:/bin");
        return environment;
    }

    // \z and not $, which also matches before a line break at the end.
    [GeneratedRegex(@"\A(?!-)[A-Za-z0-9._-]{1,64}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Version();
}
