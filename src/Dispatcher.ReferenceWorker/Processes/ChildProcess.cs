using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Dispatcher.Worker;

namespace Dispatcher.ReferenceWorker.Processes;

/// <summary>A program to run: never through a shell, with exactly this environment.</summary>
internal sealed record ProcessSpec
{
    /// <summary>The program's full path, from <see cref="ChildProcess.Find"/>.</summary>
    public required string Program { get; init; }

    /// <summary>What comes after the program's name.</summary>
    public required IReadOnlyList<string> Arguments { get; init; }

    public required string WorkingFolder { get; init; }

    public required IReadOnlyDictionary<string, string> Environment { get; init; }

    /// <summary>Null: the program reads an empty input.</summary>
    public string? Stdin { get; init; }

    /// <summary>The most that is kept of each of the two outputs.</summary>
    public required int MaxOutputBytes { get; init; }
}

/// <summary>How a program ended.</summary>
internal sealed record ProcessResult(int ExitCode, CappedOutput Stdout, CappedOutput Stderr)
{
    /// <summary>The result as JSON within the limit, or a fault <c>exit:N</c> with the end of the output when the program did not exit with 0.</summary>
    public JobResult ToJobResult(int maxBytes, IReadOnlyList<int> transientExitCodes)
    {
        if (ExitCode != 0)
        {
            var tail = Stderr.Tail() is { Length: > 0 } errors ? errors : Stdout.Tail();
            FaultClass? fault = transientExitCodes.Contains(ExitCode) ? FaultClass.Transient : null;
            var code = ExitCode.ToString(CultureInfo.InvariantCulture);
            throw new JobFaultException(fault, "exit:" + code, $"The program exited with {code}. Its output ends: {tail}");
        }

        for (var keep = maxBytes; ; keep /= 2)
        {
            var (stdout, stdoutCut) = Stdout.Head(keep);
            var (stderr, stderrCut) = Stderr.Head(keep);
            var result = JsonSerializer.SerializeToElement(new { exit_code = ExitCode, stdout, stderr, truncated = stdoutCut || stderrCut });
            if (keep == 0 || JsonSerializer.SerializeToUtf8Bytes(result).Length <= maxBytes)
            {
                return JobResult.Of(result);
            }
        }
    }
}

/// <summary>Runs a program, and leaves nothing of it behind: when it ends or is told to, its whole tree is killed.</summary>
internal static class ChildProcess
{
    /// <summary>How long outputs may take to close once the tree is dead; longer means that something escaped, and we go on without it.</summary>
    private static readonly TimeSpan OutputGrace = TimeSpan.FromSeconds(1);

    /// <summary>Makes a session leader of the program, so that one signal reaches its whole group. Null: the system has none.</summary>
    private static readonly string? SetSid = Find("setsid");

    /// <summary>Finds a program in the worker's own PATH, or takes a full path. Null: there is none.</summary>
    public static string? Find(string program)
    {
        if (program.Contains('/', StringComparison.Ordinal) || program.Contains(Path.DirectorySeparatorChar, StringComparison.Ordinal))
        {
            return Path.IsPathFullyQualified(program) && IsExecutable(program) ? program : null;
        }

        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "/usr/local/bin:/usr/bin:/bin").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        return folders.Where(Path.IsPathFullyQualified).Select(folder => Path.Combine(folder, program)).FirstOrDefault(IsExecutable);
    }

    public static async Task<ProcessResult> RunAsync(ProcessSpec spec, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var mark = Guid.CreateVersion7().ToString();
        var stdout = new CappedOutput(spec.MaxOutputBytes);
        var stderr = new CappedOutput(spec.MaxOutputBytes);
        using var process = Start(spec, mark);
        var tree = new ProcessTree(process, mark);
        var reading = Task.WhenAll(stdout.ReadAsync(process.StandardOutput.BaseStream), stderr.ReadAsync(process.StandardError.BaseStream));
        var writing = WriteAsync(process.StandardInput, spec.Stdin);
        try
        {
            await process.WaitForExitAsync(cancellationToken);
        }
        finally
        {
            // Also after a normal end: what it left in the background has no right to go on, and holds our pipes.
            tree.Kill();
        }

        await Task.WhenAny(Task.WhenAll(reading, writing), Task.Delay(OutputGrace, CancellationToken.None));
        return new ProcessResult(process.ExitCode, stdout, stderr);
    }

    private static Process Start(ProcessSpec spec, string mark)
    {
        var start = new ProcessStartInfo(SetSid ?? spec.Program)
        {
            WorkingDirectory = spec.WorkingFolder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardInputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false),
        };
        foreach (var argument in SetSid is null ? spec.Arguments : [spec.Program, .. spec.Arguments])
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment.Clear();
        foreach (var (name, value) in spec.Environment)
        {
            start.Environment[name] = value;
        }

        start.Environment[ProcessTree.MarkVariable] = mark;
        try
        {
            return Process.Start(start) ?? throw new InvalidOperationException("No process was started.");
        }
        catch (Win32Exception exception)
        {
            throw JobFaultException.Terminal("cannot_start", $"'{spec.Program}' cannot be started: {exception.Message}", exception);
        }
    }

    private static async Task WriteAsync(StreamWriter input, string? text)
    {
        try
        {
            await input.WriteAsync(text);
            input.Close();
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException)
        {
            // It ended without reading all of it.
        }
    }

    private static bool IsExecutable(string path) =>
        File.Exists(path)
        && (OperatingSystem.IsWindows() || (File.GetUnixFileMode(path) & (UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) != 0);
}
