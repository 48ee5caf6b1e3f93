using System.Collections.Concurrent;
using System.Runtime.Versioning;
using Dispatcher.Worker;

namespace Dispatcher.ReferenceWorker.Processes;

/// <summary>
/// Runs programs, each below a <see cref="Supervisor"/>. When a run ends in any way, every process that it started has ended.
/// Starts one supervisor before any pool is served, and fails the start if that is impossible.
/// </summary>
internal sealed partial class Programs(ILogger<Programs> logger) : IHostedService, IDisposable
{
    /// <summary>
    /// How long a supervisor may take to end a run before the worker ends it. Below the two seconds after which a handler is abandoned.
    /// </summary>
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(1.5);

    /// <summary>A supervisor costs about 25 MB and 100 ms of start, and more than one per core is rarely used at a time.</summary>
    private static readonly int MostIdle = Math.Max(2, Environment.ProcessorCount);

    private readonly ConcurrentBag<SupervisorProcess> _idle = [];
    private volatile bool _disposed;

    /// <exception cref="PlatformNotSupportedException">Programs cannot be contained on this machine.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (!OperatingSystem.IsLinux())
        {
            throw new PlatformNotSupportedException(
                "The pools repo, shell and deploy run programs. Only on Linux can the worker end everything that a program starts: "
                    + "serve these pools on Linux, and other pools here."
            );
        }

        if (!ProcessSecrets.DiagnosticsAreOff)
        {
            throw new PlatformNotSupportedException(
                "The pools repo, shell and deploy run programs, which could read the secrets of this process through its .NET diagnostics "
                    + "socket. Set DOTNET_EnableDiagnostics=0 in its environment (seen: another value or none), or serve other pools."
            );
        }

        Return(await SupervisorProcess.StartAsync(cancellationToken));
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Runs a program. Returns when none of its processes is left.</summary>
    public async Task<ProcessResult> RunAsync(JobRun run, ProcessSpec spec, CancellationToken cancellationToken)
    {
        if (!OperatingSystem.IsLinux())
        {
            throw JobFaultException.Terminal("not_contained", "This worker cannot end what a program starts, so it starts no program.");
        }

        cancellationToken.ThrowIfCancellationRequested();
        var supervisor = await TakeAsync(cancellationToken);
        var end = await EndOfAsync(supervisor, spec, cancellationToken);
        var ended = end is { Remains: false };
        if (ended && !cancellationToken.IsCancellationRequested)
        {
            Return(supervisor);
        }
        else
        {
            ended |= end is null && supervisor.Kill();
            supervisor.Dispose();
        }

        if (!ended)
        {
            Log.ProcessesRemain(logger, run.JobId, run.Attempt, run.RunId, spec.Program);
            throw JobFaultException.Terminal("processes_remain", $"Processes of this run could not be ended. {Reference(run)}");
        }

        cancellationToken.ThrowIfCancellationRequested();
        if (end is null)
        {
            Log.SupervisorLost(logger, run.JobId, run.Attempt, run.RunId, spec.Program);
            throw JobFaultException.Terminal(
                "supervisor_lost",
                $"The process that supervised the program was killed or disturbed; the program was ended. {Reference(run)}"
            );
        }

        return end is { ExitCode: { } code }
            ? new ProcessResult(code, end.Stdout, end.Stderr)
            : throw JobFaultException.Terminal("cannot_start", $"'{spec.Program}' cannot be started: {end.CannotStart}");
    }

    /// <summary>
    /// Writes the output of a program to the worker's log. Returns a sentence for the producer that names the run to look up there.
    /// </summary>
    public string Keep(JobRun run, ProcessResult result)
    {
        var text = result.Stderr.Tail() is { Length: > 0 } errors ? errors : result.Stdout.Tail();
        Log.ProgramFailed(logger, run.JobId, run.Attempt, run.RunId, result.ExitCode, text);
        return Reference(run);
    }

    public void Dispose()
    {
        _disposed = true;
        while (OperatingSystem.IsLinux() && _idle.TryTake(out var supervisor))
        {
            supervisor.Dispose();
        }
    }

    private static string Reference(JobRun run) => $"The log of the worker has the details of run {run.RunId}.";

    [SupportedOSPlatform("linux")]
    private static async Task<ProcessEnd?> EndOfAsync(SupervisorProcess supervisor, ProcessSpec spec, CancellationToken cancellationToken)
    {
        var running = supervisor.RunAsync(spec);
        try
        {
            return await running.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            supervisor.Stop();
        }

        try
        {
            return await running.WaitAsync(StopLimit, CancellationToken.None);
        }
        catch (TimeoutException)
        {
            return null;
        }
    }

    [SupportedOSPlatform("linux")]
    private async Task<SupervisorProcess> TakeAsync(CancellationToken cancellationToken)
    {
        while (_idle.TryTake(out var idle))
        {
            if (idle.IsReady)
            {
                return idle;
            }

            Log.SupervisorDiscarded(logger);
            idle.Kill();
            idle.Dispose();
        }

        return await SupervisorProcess.StartAsync(cancellationToken);
    }

    [SupportedOSPlatform("linux")]
    private void Return(SupervisorProcess supervisor)
    {
        if (_disposed || _idle.Count >= MostIdle)
        {
            supervisor.Dispose();
        }
        else
        {
            _idle.Add(supervisor);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(
            ReferenceWorkerEventIds.ProcessesRemain,
            LogLevel.Error,
            "Processes of job {JobId}, attempt {Attempt}, run {RunId} could not be ended ({Program}): "
                + "end them manually, or restart the machine or container"
        )]
        public static partial void ProcessesRemain(ILogger logger, Guid jobId, int attempt, Guid runId, string program);

        [LoggerMessage(
            ReferenceWorkerEventIds.SupervisorLost,
            LogLevel.Error,
            "The supervisor of job {JobId}, attempt {Attempt}, run {RunId} ended before its program ({Program}), or its answer was forged; "
                + "all processes of the run were killed. The program may have attacked the supervisor"
        )]
        public static partial void SupervisorLost(ILogger logger, Guid jobId, int attempt, Guid runId, string program);

        [LoggerMessage(
            ReferenceWorkerEventIds.SupervisorDiscarded,
            LogLevel.Error,
            "An idle supervisor ended, or another process wrote to its pipe; it was killed and is replaced. "
                + "A program of an earlier run may have attacked it"
        )]
        public static partial void SupervisorDiscarded(ILogger logger);

        [LoggerMessage(
            ReferenceWorkerEventIds.ProgramFailed,
            LogLevel.Warning,
            "A program of job {JobId}, attempt {Attempt}, run {RunId} exited with {ExitCode}; its output ends: {Output}"
        )]
        public static partial void ProgramFailed(ILogger logger, Guid jobId, int attempt, Guid runId, int exitCode, string output);
    }
}
