using System.Diagnostics;
using System.Text.Json;
using Dispatcher.ReferenceWorker.Processes;
using Dispatcher.ReferenceWorker.Shell;

namespace Dispatcher.UnitTests.ReferenceWorker.Processes;

/// <summary>All processes of a run end with it. Each script starts processes that touch <c>up</c> and then hide.</summary>
public sealed class ContainmentTests : IDisposable
{
    private const string Wait = "while [ ! -e up ]; do sleep 0.01; done; ";

    private readonly ARun _run = new();

    public ContainmentTests() => Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux runs programs.");

    /// <summary>Ways of a process to leave its parent, its session, its environment and its pipes behind.</summary>
    public static TheoryData<string> Hidden =>
        new(
            "sh -c 'touch up; sleep 301 & wait' & ",
            "setsid env -i sh -c 'touch up; sleep 301' & ",
            "(setsid env -i sh -c '(touch up; sleep 301 &)' &) ; ",
            "nohup setsid env -i sh -c 'touch up; exec sleep 301' < /dev/null > /dev/null 2>&1 & ",
            "setsid env -i sh -c 'exec <&- >&- 2>&-; trap \"\" HUP INT TERM; touch up; sleep 301' & ",
            "setsid env -i sh -c 'touch up; kill -STOP $$' & ",
            // Each process starts the next one and ends, so that none lives for long.
            "setsid env -i sh -c 'hop() { [ -e stop ] || (hop &) ; }; touch up; hop' & "
        );

    private ShellHandler Handler => new(_run.Programs, _run.Options);

    public void Dispose()
    {
        // When a test fails, the processes that it started end soon.
        File.WriteAllText(Path.Combine(_run.Root, "stop"), "");
        _run.Dispose();
    }

    [Theory]
    [MemberData(nameof(Hidden))]
    public async Task Run_that_succeeds_leaves_no_process(string script)
    {
        await Script(script + Wait + "exit 0").By(Handler);

        Assert.Empty(Processes());
    }

    [Theory]
    [MemberData(nameof(Hidden))]
    public async Task Run_that_fails_leaves_no_process(string script)
    {
        var fault = await Script(script + Wait + "exit 3").FaultOf(Handler);

        Assert.Equal("exit:3", fault.Code);
        Assert.Empty(Processes());
    }

    [Theory]
    [MemberData(nameof(Hidden))]
    public async Task Cancelled_run_leaves_no_process(string script)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        var running = Script(script + Wait + "touch waiting; sleep 301").By(Handler, stop.Token);
        await ExistsAsync("waiting", running);

        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        Assert.Empty(Processes());
    }

    [Fact]
    public async Task Run_that_kills_its_supervisor_fails_and_leaves_no_process()
    {
        var fault = await Script("setsid env -i sh -c 'touch up; sleep 301' & " + Wait + "kill -9 $PPID; sleep 301").FaultOf(Handler);

        Assert.Equal("supervisor_lost", fault.Code);
        Assert.Empty(Processes());
        Assert.Contains("attacked", _run.Log.Text, StringComparison.Ordinal);
        Assert.Equal("next\n", (await Script("echo next").By(Handler)).GetProperty("stdout").GetString());
    }

    [Fact]
    public async Task Run_that_stops_its_supervisor_is_cancelled_and_leaves_no_process()
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        var script = "setsid env -i sh -c 'touch up; sleep 301' & " + Wait + "kill -STOP $PPID; touch waiting; sleep 301";
        var running = Script(script).By(Handler, stop.Token);
        await ExistsAsync("waiting", running);

        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        Assert.Empty(Processes());
    }

    [Theory]
    [MemberData(nameof(Hidden))]
    public async Task Killed_worker_leaves_no_process(string script)
    {
        // A supervisor notices the kill only by the pipes, which the kernel closes.
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "Dispatcher.ReferenceWorker"), [Supervisor.Mode])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        using var supervisor = Process.Start(start)!;
        Assert.Equal(Supervisor.Ready, await supervisor.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));
        var spec = new ProcessSpec
        {
            Program = "/bin/sh",
            Arguments = ["-c", script + Wait + "touch waiting; sleep 301"],
            WorkingFolder = _run.Root,
            Environment = new Dictionary<string, string> { ["PATH"] = "/usr/bin:/bin" },
            MaxOutputBytes = 100,
        };
        await supervisor.StandardInput.WriteLineAsync(JsonSerializer.Serialize(spec, SupervisionJson.Default.ProcessSpec));
        await supervisor.StandardInput.FlushAsync(TestContext.Current.CancellationToken);
        await ExistsAsync("waiting", supervisor.WaitForExitAsync(TestContext.Current.CancellationToken));

        supervisor.StandardOutput.Close();
        supervisor.StandardInput.Close();

        await supervisor.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Empty(Processes());
    }

    [Fact]
    public async Task Runs_at_the_same_time_do_not_end_each_others_processes()
    {
        var first = Script("touch first; while [ ! -e second ]; do sleep 0.01; done; echo first").By(Handler);
        await ExistsAsync("first", first);

        await Script("setsid sleep 301 & exit 0").By(Handler);
        await Script("touch second; echo second").By(Handler);

        Assert.Equal("first\n", (await first).GetProperty("stdout").GetString());
    }

    [Fact]
    public async Task Supervisor_is_used_again_for_the_next_run()
    {
        var one = await Script("echo $PPID").By(Handler);
        var two = await Script("echo $PPID").By(Handler);

        Assert.Equal(one.GetProperty("stdout").GetString(), two.GetProperty("stdout").GetString());
    }

    [Fact]
    public async Task Program_cannot_gain_privileges_that_let_it_outlive_its_run()
    {
        var status = await _run.With("""{"command": ["cat", "/proc/self/status"]}""").By(Handler);

        Assert.Contains("NoNewPrivs:\t1", status.GetProperty("stdout").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Signal_to_the_group_of_a_program_does_not_reach_its_supervisor() =>
        Assert.Equal("exit:143", (await Script("kill 0; sleep 301").FaultOf(Handler)).Code);

    private ARun Script(string script) => _run.With(JsonSerializer.Serialize(new { command = (string[])["sh", "-c", script] }));

    private async Task ExistsAsync(string file, Task running)
    {
        while (!File.Exists(Path.Combine(_run.Root, file)))
        {
            Assert.False(running.IsCompleted, "The run ended before it began what it is meant to do.");
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }
    }

    /// <summary>The processes of this run: those whose working folder is its root. An ended process has no working folder.</summary>
    private List<string> Processes() =>
        [
            .. Directory
                .EnumerateDirectories("/proc")
                .Where(folder => int.TryParse(Path.GetFileName(folder), out _) && FolderOf(folder) == _run.Root),
        ];

    private static string? FolderOf(string process)
    {
        try
        {
            return new FileInfo(process + "/cwd").LinkTarget;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
