using Dispatcher.ReferenceWorker.Payloads;
using Dispatcher.ReferenceWorker.Processes;
using Dispatcher.Worker;
using Microsoft.Extensions.Options;

namespace Dispatcher.ReferenceWorker.Shell;

/// <summary>
/// <c>job.exec.shell</c>: runs a program by its argument vector, without a shell.
/// Payload <c>{"command": ["git", "--version"], "cwd": "below/the/root", "env": {"LANG": "C"}, "stdin": "...",
/// "transient_exit_codes": [75]}</c>, only <c>command</c> required.
/// Result <c>{"exit_code", "stdout", "stderr", "truncated"}</c>. Enforces <c>allowed_commands</c>.
/// </summary>
internal sealed class ShellHandler(Programs programs, IOptions<ReferenceWorkerOptions> options) : IJobHandler
{
    public async Task<JobResult> RunAsync(JobRun run, CancellationToken cancellationToken)
    {
        var payload = new PayloadReader(run.Payload);
        var command = payload.RequiredTexts("command");
        var folder = payload.OptionalText("cwd") ?? "";
        var environment = payload.OptionalMap("env");
        var stdin = payload.OptionalText("stdin");
        var transient = payload.OptionalNumbers("transient_exit_codes");
        payload.Require(!command.Any(part => part.Contains('\0', StringComparison.Ordinal)), "'command' must not contain U+0000");
        payload.Require(
            !environment.Any(variable => (variable.Key + variable.Value).Contains('\0', StringComparison.Ordinal)),
            "'env' must not contain U+0000"
        );
        foreach (var name in environment.Keys.Where(name => !options.Value.EnvironmentAllowlist.Contains(name)))
        {
            payload.Require(false, $"'env' must not set '{name}' (allowed: {string.Join(", ", options.Value.EnvironmentAllowlist)})");
        }

        payload.Done();

        var spec = new ProcessSpec
        {
            Program = Allowed(command[0], run.Constraints.AllowedCommands),
            Arguments = [.. command.Skip(1)],
            WorkingFolder = ConfinedPath.Below(options.Value.ShellRoot!, folder),
            Environment = EnvironmentWith(environment),
            Stdin = stdin,
            MaxOutputBytes = run.MaxOutputBytes,
        };
        var result = await programs.RunAsync(run, spec, cancellationToken);
        return result.ExitCode == 0 ? result.ToJobResult(run.MaxOutputBytes, withStderr: true) : throw FaultOf(result, transient);
    }

    // The producer chose the program, so the producer gets both outputs, as in the result of a run that succeeds.
    private static JobFaultException FaultOf(ProcessResult result, IReadOnlyList<int> transientExitCodes)
    {
        var tail = result.Stderr.Tail() is { Length: > 0 } errors ? errors : result.Stdout.Tail();
        return result.Fault(transientExitCodes.Contains(result.ExitCode) ? FaultClass.Transient : null, "Its output ends: " + tail);
    }

    private static string Allowed(string program, IReadOnlyList<string>? allowed)
    {
        // A path could lead to any program of an allowed name, so it is allowed only when the policy names the whole path.
        var listed =
            allowed?.Contains(program)
            ?? (!program.Contains('/', StringComparison.Ordinal) && !program.Contains('\\', StringComparison.Ordinal));
        if (!listed)
        {
            throw JobFaultException.Terminal(
                "command_not_allowed",
                $"'{program}' is not allowed (allowed: {(allowed is null ? "any name without a path" : string.Join(", ", allowed))})."
            );
        }

        return ChildProcess.Find(program)
            ?? throw JobFaultException.Terminal("command_not_found", $"'{program}' was not found on this worker.");
    }

    private static Dictionary<string, string> EnvironmentWith(IReadOnlyDictionary<string, string> wanted)
    {
        // Passes only PATH of the worker's environment, because the rest holds secrets.
        Dictionary<string, string> environment = new(StringComparer.Ordinal)
        {
            ["PATH"] = Environment.GetEnvironmentVariable("PATH") ?? "/usr/bin:/bin",
        };
        foreach (var (name, value) in wanted)
        {
            environment[name] = value;
        }

        return environment;
    }
}
