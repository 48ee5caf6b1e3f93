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

    /// <summary>The most bytes of an answer besides the first bytes of the two outputs.</summary>
    private const int AnswerSlack = 64 * 1024;

    /// <summary>An answer holds two outputs in Base64, whose characters JSON may write as six bytes each.</summary>
    private const int EncodedOutputs = 16;

    /// <summary>The supervisors of this process, however many workers it holds: the kernel gives it the orphans of all of them.</summary>
    private static readonly HashSet<int> Live = [];

    private readonly Process _process;

    private SupervisorProcess(Process process) => _process = process;

    /// <summary>True: it lives and has written nothing but the answers to its requests. Otherwise it must be killed.</summary>
    public bool IsReady => !_process.HasExited && !Kernel.HasInput(Answers);

    /// <summary>The worker's end of the pipe that the supervisor answers through.</summary>
    internal SafePipeHandle Answers => ((PipeStream)_process.StandardOutput.BaseStream).SafePipeHandle;

    /// <exception cref="PlatformNotSupportedException">No supervisor can be started here.</exception>
    public static async Task<SupervisorProcess> StartAsync(CancellationToken cancellationToken)
    {
        var supervisor = Start();
        try
        {
            var line = await supervisor.ReadAnswerAsync(AnswerSlack, cancellationToken);
            return line == Supervisor.Ready
                ? supervisor
                : throw new PlatformNotSupportedException(
                    "The supervisor of programs ended at its start; what it wrote to standard error says why."
                );
        }
        catch
        {
            supervisor.Kill();
            supervisor.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Runs a program to the end of all its processes. Null: the supervisor was killed or broke, or another process wrote to its pipe; it
    /// must be killed then.
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

    /// <summary>Asks the supervisor to end its program, all that it started, and itself.</summary>
    public void Stop()
    {
        try
        {
            _process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It has ended.
        }
    }

    /// <summary>
    /// Ends the supervisor and all below it from outside. It may be stopped, or dead already, and its orphans are this process's children
    /// then.
    /// </summary>
    /// <returns>False: processes remain.</returns>
    public bool Kill()
    {
        var id = _process.Id;
        if (!_process.HasExited)
        {
            // While it lives, stopped or not, everything of the run is below it.
            ProcessTable.FreezeAndKill(() => ProcessTable.Below(id), KillLimit);
            Kernel.Send(id, Kernel.SigKill);
            _process.WaitForExit(KillLimit);
        }

        var watch = Stopwatch.StartNew();
        while (Orphans() is { Count: > 0 } orphans)
        {
            if (watch.Elapsed > KillLimit)
            {
                return false;
            }

            // What is below an orphan becomes an orphan itself.
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
        lock (Gate)
        {
            Live.Remove(_process.Id);
        }

        _process.Dispose();
    }

    /// <summary>One line. Null: the pipe ended, the line is longer than the limit, or something follows it.</summary>
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
        var name = typeof(Supervisor).Assembly.GetName().Name!;
        var executable = Path.Combine(AppContext.BaseDirectory, name);
        var start = File.Exists(executable)
            ? new ProcessStartInfo(executable)
            : new ProcessStartInfo(ChildProcess.Find("dotnet") ?? Environment.ProcessPath!, ["exec", executable + ".dll"]);
        start.ArgumentList.Add(Supervisor.Mode);
        start.RedirectStandardInput = start.RedirectStandardOutput = true;
        start.StandardInputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        start.WorkingDirectory = "/";
        foreach (var variable in start.Environment.Keys.Where(variable => !IsForSupervisor(variable)).ToList())
        {
            // The worker's secrets are among them.
            start.Environment.Remove(variable);
        }

        // Many small processes; and no diagnostics socket, by which any process of this user could read the memory of this one.
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

    private static bool IsForSupervisor(string variable) =>
        variable == "PATH" || variable.StartsWith("DOTNET_ROOT", StringComparison.Ordinal);

    /// <summary>
    /// What killed supervisors left to this process: children of another session, which every supervisor begins and nothing below it can
    /// leave for ours.
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
