using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using System.Text;
using System.Text.Json;

namespace Dispatcher.ReferenceWorker.Processes;

/// <summary>
/// A process between the worker and the programs of its runs. It runs one program at a time and adopts every orphan below it, so that
/// the kernel reports when no process of a run is left. Reads one <see cref="ProcessSpec"/> per line and answers each with one
/// <see cref="ProcessEnd"/> that repeats the nonce of the request. The end of its input, also by the death of the worker, ends the
/// program and the supervisor.
/// </summary>
internal static class Supervisor
{
    /// <summary>The only argument of the worker's executable that starts a supervisor. Not a command for people.</summary>
    public const string Mode = "supervise";

    /// <summary>The first line of its output: the kernel has granted all that a supervisor needs.</summary>
    public const string Ready = "ready";

    [SupportedOSPlatform("linux")]
    public static async Task<int> RunAsync(Stream input, Stream output)
    {
        // The supervisor knows secrets of its run, and the programs run as the same user.
        ProcessSecrets.Protect();
        // Each read of a pipe blocks a thread of the pool: the input, and both outputs of the program.
        ThreadPool.SetMinThreads(8, 8);
        Kernel.LeadSession();
        Kernel.AdoptOrphans();
        Kernel.RefuseNewPrivileges();
        using var reaping = PosixSignalRegistration.Create(PosixSignal.SIGCHLD, _ => ChildProcess.ReapOrphans());
        using var requests = new StreamReader(input, Encoding.UTF8);
        await using var answers = new StreamWriter(output, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)) { AutoFlush = true };
        await answers.WriteLineAsync(Ready);
        for (var next = requests.ReadLineAsync(); await next is { } request; )
        {
            // The worker sends nothing while a program runs, so this read completes only at the end of the input.
            next = requests.ReadLineAsync();
            var spec = JsonSerializer.Deserialize(request, SupervisionJson.Default.ProcessSpec)!;
            var end = await ChildProcess.RunAsync(spec, next) with { Nonce = spec.Nonce };
            await answers.WriteLineAsync(JsonSerializer.Serialize(end, SupervisionJson.Default.ProcessEnd));
            if (end.Remains)
            {
                // The handler was abandoned, or the worker is dead, so this process only ends what is left.
                ChildProcess.KillRest(ChildProcess.EndLimit);
                break;
            }
        }

        return 0;
    }
}
