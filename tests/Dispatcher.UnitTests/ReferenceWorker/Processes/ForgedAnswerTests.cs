using System.Runtime.Versioning;
using System.Text;
using System.Text.Json;
using Dispatcher.ReferenceWorker.Processes;
using Dispatcher.ReferenceWorker.Shell;

namespace Dispatcher.UnitTests.ReferenceWorker.Processes;

/// <summary>Another process writes to the pipe through which a supervisor answers.</summary>
[SupportedOSPlatform("linux")]
public sealed class ForgedAnswerTests : IDisposable
{
    private const string Forged = """{"ExitCode":0,"Stdout":{"First":"Zm9yZ2Vk","Last":"","Total":6}}""" + "\n";

    private readonly ARun _run = new();

    public ForgedAnswerTests() => Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux runs programs.");

    private ProcessSpec Echo =>
        new()
        {
            Program = "/bin/echo",
            Arguments = ["own"],
            WorkingFolder = _run.Root,
            Environment = new Dictionary<string, string>(),
            MaxOutputBytes = 100,
        };

    public void Dispose() => _run.Dispose();

    [Fact]
    public async Task Answer_without_the_nonce_of_the_request_is_refused()
    {
        using var supervisor = await StartAsync();
        Assert.Equal("own\n", Encoding.UTF8.GetString((await supervisor.RunAsync(Echo))!.Stdout.First));

        Write(supervisor, Forged);

        Assert.Null(await supervisor.RunAsync(Echo));
        Assert.True(supervisor.Kill());
    }

    [Fact]
    public async Task Answer_with_the_nonce_of_an_earlier_request_is_refused()
    {
        using var supervisor = await StartAsync();
        var earlier = await supervisor.RunAsync(Echo);

        Write(supervisor, JsonSerializer.Serialize(earlier!, SupervisionJson.Default.ProcessEnd) + "\n");

        Assert.Null(await supervisor.RunAsync(Echo));
        Assert.True(supervisor.Kill());
    }

    [Fact]
    public async Task Answer_without_an_end_of_line_is_read_up_to_a_limit()
    {
        using var supervisor = await StartAsync();
        var running = supervisor.RunAsync(Echo with { Program = "/bin/sleep", Arguments = ["301"] });

        // The worker reads up to the limit, so this write blocks until the worker stops reading or has read all of it.
        Write(supervisor, new string('x', 100_000));

        Assert.Null(await running);
        Assert.True(supervisor.Kill());
    }

    [Fact]
    public async Task Supervisor_with_an_unread_answer_is_not_used_again()
    {
        using var supervisor = await StartAsync();
        await supervisor.RunAsync(Echo);
        Assert.True(supervisor.IsReady);

        Write(supervisor, Forged);

        Assert.False(supervisor.IsReady);
        Assert.True(supervisor.Kill());
    }

    [Fact]
    public async Task Program_that_forges_an_answer_fails_and_the_next_run_gets_the_correct_answer()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Only root can open the pipe of a supervisor at any time.");
        var handler = new ShellHandler(_run.Programs, _run.Options);
        var script = $"echo '{Forged.Trim()}' > /proc/$PPID/fd/1; sleep 301";

        var fault = await _run.With(JsonSerializer.Serialize(new { command = (string[])["sh", "-c", script] })).FaultOf(handler);
        var next = await _run.With("""{"command": ["echo", "next"]}""").By(handler);

        Assert.Equal("supervisor_lost", fault.Code);
        Assert.Equal("next\n", next.GetProperty("stdout").GetString());
    }

    private static Task<SupervisorProcess> StartAsync() => SupervisorProcess.StartAsync(TestContext.Current.CancellationToken);

    /// <summary>Opens the pipe again through the worker's end. Another process can do that through the supervisor's end.</summary>
    private static void Write(SupervisorProcess supervisor, string text) =>
        File.WriteAllText($"/proc/self/fd/{supervisor.Answers.DangerousGetHandle()}", text);
}
