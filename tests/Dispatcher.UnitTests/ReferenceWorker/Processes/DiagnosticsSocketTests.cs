using System.Diagnostics;

namespace Dispatcher.UnitTests.ReferenceWorker.Processes;

/// <summary>
/// The compiled programs that run jobs have no diagnostics socket, which would show their environment to the programs of jobs.
/// </summary>
public sealed class DiagnosticsSocketTests : IDisposable
{
    private const string Variable = "DOTNET_EnableDiagnostics";

    private readonly string _folder = Directory.CreateTempSubdirectory("diagnostics-").FullName;

    public DiagnosticsSocketTests() => Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux runs programs.");

    /// <summary>The worker as an executable, and as an assembly that <c>dotnet</c> runs.</summary>
    public static TheoryData<string, string> Starts =>
        new() { { Compiled("Dispatcher.ReferenceWorker"), "" }, { "dotnet", Compiled("Dispatcher.ReferenceWorker.dll") } };

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [MemberData(nameof(Starts))]
    public async Task The_worker_has_no_diagnostics_socket_and_stops_with_exit_code_0(string file, string assembly)
    {
        using var worker = Start(file, [assembly, .. WorkerArguments], diagnostics: null);
        await ReadUntilAsync(worker.StandardOutput, "Application started");

        var files = DiagnosticsFiles(worker);
        using var stop = Process.Start("kill", ["-TERM", $"{worker.Id}"]);
        await worker.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await worker.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.Empty(files);
        Assert.Equal(0, worker.ExitCode);
    }

    [Fact]
    public async Task The_embedded_server_has_no_diagnostics_socket()
    {
        string[] arguments = ["serve", "--data", _folder, "--urls", "http://127.0.0.1:0", "--policies", Compiled("policies")];
        using var server = Start(Compiled("dispatcher"), arguments, diagnostics: null);
        await ReadUntilAsync(server.StandardError, "is in force");

        var files = DiagnosticsFiles(server);
        server.Kill(entireProcessTree: true);
        await server.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.Empty(files);
    }

    [Fact]
    public async Task The_worker_refuses_pools_that_run_programs_if_the_user_keeps_diagnostics()
    {
        using var worker = Start(Compiled("Dispatcher.ReferenceWorker"), WorkerArguments, diagnostics: "1");

        // A worker that wrongly starts is ended, so that the test fails.
        while (await worker.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
        {
            if (line.Contains("Application started", StringComparison.Ordinal))
            {
                worker.Kill(entireProcessTree: true);
            }
        }

        await worker.WaitForExitAsync(TestContext.Current.CancellationToken);

        var errors = await worker.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        Assert.Equal(2, worker.ExitCode);
        Assert.Contains(Variable + "=0", errors, StringComparison.Ordinal);
    }

    /// <summary>No server listens at these addresses: the worker starts, and retries until it is stopped.</summary>
    private string[] WorkerArguments =>
        [
            "--rabbitmq",
            "amqp://u:p@127.0.0.1:1/",
            "--url",
            "http://127.0.0.1:1",
            "--api-key",
            "k",
            "--pools",
            "shell",
            "--shell-root",
            _folder,
        ];

    private static string Compiled(string file) => Path.Combine(AppContext.BaseDirectory, file);

    private static Process Start(string file, string[] arguments, string? diagnostics)
    {
        var start = new ProcessStartInfo(file, arguments.Where(argument => argument.Length > 0))
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        // Null removes the variable.
        start.Environment[Variable] = diagnostics;
        start.Environment["DISPATCHER_API_KEY"] = "0123456789abcdef0123456789abcdef";
        return Process.Start(start)!;
    }

    private static async Task ReadUntilAsync(StreamReader log, string text)
    {
        while (await log.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
        {
            if (line.Contains(text, StringComparison.Ordinal))
            {
                return;
            }
        }

        Assert.Fail($"The process ended before it wrote '{text}'.");
    }

    private static List<string> DiagnosticsFiles(Process process) =>
        [
            .. Directory.EnumerateFiles(Path.GetTempPath(), $"dotnet-diagnostic-{process.Id}-*"),
            .. Directory.EnumerateFiles(Path.GetTempPath(), $"clr-debug-pipe-{process.Id}-*"),
        ];
}
