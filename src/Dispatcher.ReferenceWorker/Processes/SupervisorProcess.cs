using System.Buffers;
using System.ComponentModel;
using System.Diagnostics;
using System.IO.Pipes;
using System.Runtime.Versioning;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace Dispatcher.ReferenceWorker.Processes;

/// <summary>The worker's end of one <see cref="Supervisor"/>.</summary>
[SupportedOSPlatform("linux")]
internal sealed class SupervisorProcess : IDisposable
{
    private static readonly TimeSpan KillLimit = TimeSpan.FromSeconds(1);
    private static readonly Lock Gate = new();

    /// <summary>Maximum number of bytes of an answer besides the first bytes of the two outputs.</summary>
    private const int AnswerSlack = 64 * 1024;

    /// <summary>An answer holds two outputs in Base64, whose characters JSON may write as six bytes each.</summary>
    private const int EncodedOutputs = 16;

    /// <summary>
    /// The supervisors of this process, shared by all workers in it, because the kernel gives this process the orphans of all of them.
    /// </summary>
    private static readonly HashSet<int> Live = [];

    private readonly Process _process;
    private readonly int _id;

    private SupervisorProcess(Process process)
    {
        _process = process;
        _id = process.Id;
    }

    /// <summary>
    /// True: the supervisor lives and has written only answers to its requests. False: it must be killed.
    /// </summary>
    public bool IsReady => !_process.HasExited && !Kernel.HasInput(Answers);

    /// <summary>The worker's end of the pipe for the supervisor's answers.</summary>
    internal SafePipeHandle Answers => ((PipeStream)_process.StandardOutput.BaseStream).SafePipeHandle;

    /// <exception cref="PlatformNotSupportedException">No supervisor can be started on this machine.</exception>
    public static async Task<SupervisorProcess> StartAsync(CancellationToken cancellationToken)
    {
        var supervisor = Start();
        try
        {
            var line = await supervisor.ReadAnswerAsync(AnswerSlack, cancellationToken);
            return line == Supervisor.Ready
                ? supervisor
                : throw new PlatformNotSupportedException("The supervisor of programs ended at its start; its standard error states why.");
        }
        catch
        {
            supervisor.Kill();
            supervisor.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Runs a program until all its processes have ended. Null: the supervisor was killed or failed, or another process wrote to its pipe;
    /// the caller must kill it.
    /// </summary>
    public async Task<ProcessEnd?> RunAsync(ProcessSpec spec)
    {
        try
        {
            // A process of the same user can open the pipe before the supervisor protects itself; without the nonce it can answer nothing.
            var request = spec with
            {
                Nonce = RandomNumberGenerator.GetHexString(64, lowercase: true),
            };
            await _process.StandardInput.WriteLineAsync(JsonSerializer.Serialize(request, SupervisionJson.Default.ProcessSpec));
            await _process.StandardInput.FlushAsync();
            var line = await ReadAnswerAsync(AnswerSlack + (EncodedOutputs * (long)spec.MaxOutputBytes), CancellationToken.None);
            var answer = line is null ? null : JsonSerializer.Deserialize(line, SupervisionJson.Default.ProcessEnd);
            return answer?.Nonce == request.Nonce ? answer : null;
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException or JsonException)
        {
            return null;
        }
    }

    /// <summary>Asks the supervisor to end its program, all processes that it started, and itself.</summary>
    public void Stop()
    {
        try
        {
            _process.StandardInput.Close();
        }
        catch (IOException)
        {
            // The supervisor has ended.
        }
    }

    /// <summary>
    /// Ends the supervisor and all processes below it from outside. The supervisor may be stopped or dead; then its orphans are children of
    /// this process.
    /// </summary>
    /// <returns>False: processes remain.</returns>
    public bool Kill()
    {
        if (!_process.HasExited)
        {
            // While the supervisor lives, stopped or not, all processes of the run are its descendants.
            ProcessTable.FreezeAndKill(() => ProcessTable.Below(_id), KillLimit);
            Kernel.Send(_id, Kernel.SigKill);
            _process.WaitForExit(KillLimit);
        }

        var watch = Stopwatch.StartNew();
        while (Orphans() is { Count: > 0 } orphans)
        {
            if (watch.Elapsed > KillLimit)
            {
                return false;
            }

            // The children of a killed orphan become orphans themselves.
            foreach (var orphan in orphans)
            {
                ProcessTable.KillTree(orphan);
                Kernel.Reap(orphan);
            }
        }

        return _process.HasExited;
    }

    public void Dispose()
    {
        Stop();
        _process.StandardOutput.Dispose();

        // .NET reaps the supervisor when it ends. If another thread reaped it first, as an orphan, .NET would end this process. So the id
        // stays in the set until .NET has reaped it.
        _process.Exited += (_, _) => Forget();
        _process.EnableRaisingEvents = true;
    }

    private void Forget()
    {
        lock (Gate)
        {
            Live.Remove(_id);
        }

        _process.Dispose();
    }

    /// <summary>Reads one line. Null: the pipe ended, the line is longer than the limit, or more bytes follow it.</summary>
    private async Task<string?> ReadAnswerAsync(long maxBytes, CancellationToken cancellationToken)
    {
        var answer = new ArrayBufferWriter<byte>();
        while (answer.WrittenCount <= maxBytes)
        {
            var read = await _process.StandardOutput.BaseStream.ReadAsync(answer.GetMemory(4096), cancellationToken);
            if (read == 0)
            {
                return null;
            }

            var end = answer.WrittenCount + answer.GetSpan()[..read].IndexOf((byte)'\n');
            var isWhole = end >= answer.WrittenCount;
            answer.Advance(read);
            if (isWhole)
            {
                return end == answer.WrittenCount - 1 ? Encoding.UTF8.GetString(answer.WrittenSpan[..end]) : null;
            }
        }

        return null;
    }

    private static SupervisorProcess Start()
    {
        Kernel.AdoptOrphans();
        var start = Command();
        start.ArgumentList.Add(Supervisor.Mode);
        start.RedirectStandardInput = start.RedirectStandardOutput = true;
        start.StandardInputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        start.WorkingDirectory = "/";
        foreach (var variable in start.Environment.Keys.Where(variable => !IsForSupervisor(variable)).ToList())
        {
            // They include the worker's secrets.
            start.Environment.Remove(variable);
        }

        // Small, because there are many. No diagnostics socket, through which any process of this user could read the memory.
        start.Environment["DOTNET_gcServer"] = "0";
        start.Environment["DOTNET_GCHeapHardLimit"] = "0x8000000";
        start.Environment["DOTNET_TieredPGO"] = "0";
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        lock (Gate)
        {
            try
            {
                var process = Process.Start(start)!;
                Live.Add(process.Id);
                return new SupervisorProcess(process);
            }
            catch (Win32Exception exception)
            {
                throw new PlatformNotSupportedException($"'{start.FileName}' cannot be started: {exception.Message}", exception);
            }
        }
    }

    /// <summary>
    /// The program of a supervisor: the executable of the reference worker, or its library if the machine's .NET runs it, or this process's
    /// own program if it is a single file, which contains the reference worker.
    /// </summary>
    private static ProcessStartInfo Command()
    {
        var executable = Path.Combine(AppContext.BaseDirectory, typeof(Supervisor).Assembly.GetName().Name!);
        if (File.Exists(executable))
        {
            return new ProcessStartInfo(executable);
        }

        var library = executable + ".dll";
        return File.Exists(library)
            ? new ProcessStartInfo(ChildProcess.Find("dotnet") ?? Environment.ProcessPath!, ["exec", library])
            : new ProcessStartInfo(Environment.ProcessPath!);
    }

    private static bool IsForSupervisor(string variable) =>
        variable == "PATH" || variable.StartsWith("DOTNET_ROOT", StringComparison.Ordinal);

    /// <summary>
    /// The orphans that killed supervisors have left to this process: its children in other sessions. Every supervisor begins a session,
    /// and no descendant can return to the session of this process.
    /// </summary>
    private static List<int> Orphans()
    {
        lock (Gate)
        {
            var session = ProcessTable.EntryOf(Environment.ProcessId)!.Value.Session;
            return
            [
                .. ProcessTable
                    .Children()
                    .Where(child => !Live.Contains(child))
                    .Select(ProcessTable.EntryOf)
                    .OfType<ProcessEntry>()
                    .Where(child => child.Parent == Environment.ProcessId && child.Session != session)
                    .Select(child => child.Id),
            ];
        }
    }
}
