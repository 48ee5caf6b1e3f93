using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Dispatcher.Worker;

namespace Dispatcher.ReferenceWorker.Processes;

/// <summary>A program to run: without a shell, and with exactly this environment.</summary>
internal sealed record ProcessSpec
{
    /// <summary>The program's full path, from <see cref="ChildProcess.Find"/>.</summary>
    public required string Program { get; init; }

    /// <summary>The arguments after the program's name.</summary>
    public required IReadOnlyList<string> Arguments { get; init; }

    public required string WorkingFolder { get; init; }

    public required IReadOnlyDictionary<string, string> Environment { get; init; }

    /// <summary>The standard input. Null: empty.</summary>
    public string? Stdin { get; init; }

    /// <summary>Maximum number of bytes kept of each of the two outputs.</summary>
    public required int MaxOutputBytes { get; init; }

    /// <summary>A random text, new for each request, that the answer must repeat. The program never sees it.</summary>
    public string Nonce { get; init; } = "";
}

/// <summary>How a program ended.</summary>
internal sealed record ProcessResult(int ExitCode, CapturedOutput Stdout, CapturedOutput Stderr)
{
    /// <summary>The fault of a program that did not exit with 0: <c>exit:N</c>.</summary>
    /// <param name="faultClass">Null: the topic's table of faults decides.</param>
    /// <param name="details">Text for the producer, besides the exit code.</param>
    public JobFaultException Fault(FaultClass? faultClass, string details)
    {
        var code = ExitCode.ToString(CultureInfo.InvariantCulture);
        return new JobFaultException(faultClass, "exit:" + code, $"The program exited with {code}. {details}");
    }

    /// <summary>Exit code and outputs as JSON, with the outputs cut so that all of it fits.</summary>
    /// <param name="maxBytes">Maximum size of the JSON.</param>
    /// <param name="withStderr">False where the producer did not choose the program.</param>
    public JobResult ToJobResult(int maxBytes, bool withStderr)
    {
        for (var keep = maxBytes; ; keep /= 2)
        {
            var (stdout, stdoutCut) = Stdout.Head(keep);
            var (stderr, stderrCut) = Stderr.Head(withStderr ? keep : 0);
            var result = withStderr
                ? JsonSerializer.SerializeToElement(
                    new
                    {
                        exit_code = ExitCode,
                        stdout,
                        stderr,
                        truncated = stdoutCut || stderrCut,
                    }
                )
                : JsonSerializer.SerializeToElement(
                    new
                    {
                        exit_code = ExitCode,
                        stdout,
                        truncated = stdoutCut,
                    }
                );
            if (keep == 0 || JsonSerializer.SerializeToUtf8Bytes(result).Length <= maxBytes)
            {
                return JobResult.Of(result);
            }
        }
    }
}

/// <summary>The answer of a supervisor when a program has ended, as one line of JSON.</summary>
internal sealed record ProcessEnd
{
    /// <summary>The nonce of the answered request.</summary>
    public string Nonce { get; init; } = "";

    /// <summary>Why the program could not be started. Null: it was started.</summary>
    public string? CannotStart { get; init; }

    /// <summary>Null: the program was not started, or could not be ended.</summary>
    public int? ExitCode { get; init; }

    public CapturedOutput Stdout { get; init; } = CapturedOutput.Empty;

    public CapturedOutput Stderr { get; init; } = CapturedOutput.Empty;

    /// <summary>True: processes of the run could not be ended.</summary>
    public bool Remains { get; init; }
}

/// <summary>The JSON lines between a worker and its supervisors.</summary>
[JsonSerializable(typeof(ProcessSpec))]
[JsonSerializable(typeof(ProcessEnd))]
internal sealed partial class SupervisionJson : JsonSerializerContext;
