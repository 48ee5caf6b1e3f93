using Dispatcher.Contracts;
using Dispatcher.ReferenceWorker.Shell;
using Dispatcher.Worker;

namespace Dispatcher.UnitTests.ReferenceWorker.Shell;

public sealed class ShellHandlerTests : IDisposable
{
    private readonly ARun _run = new();

    private ShellHandler Handler => new(_run.Programs, _run.Options);

    public void Dispose() => _run.Dispose();

    [Fact]
    public async Task Runs_an_argument_vector_and_no_shell()
    {
        var result = await _run.With("""{"command": ["echo", "$HOME; ls *"]}""").By(Handler);

        Assert.Equal("$HOME; ls *\n", result.GetProperty("stdout").GetString());
        Assert.Equal(0, result.GetProperty("exit_code").GetInt32());
    }

    [Fact]
    public async Task Runs_below_the_root_with_its_input_and_only_the_allowed_environment()
    {
        Directory.CreateDirectory(Path.Combine(_run.Root, "inner"));

        var result = await _run.With(
                """{"command": ["sh", "-c", "pwd; cat; env"], "cwd": "inner", "stdin": "typed\n", "env": {"TZ": "UTC"}}"""
            )
            .By(Handler);

        var lines = result.GetProperty("stdout").GetString()!.Split('\n');
        Assert.EndsWith("/inner", lines[0], StringComparison.Ordinal);
        Assert.Equal("typed", lines[1]);
        Assert.Contains("TZ=UTC", lines);
        Assert.DoesNotContain(
            lines,
            line => line.StartsWith("HOME=", StringComparison.Ordinal) || line.StartsWith("USER=", StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task Command_that_is_not_listed_is_refused()
    {
        var fault = await _run.With("""{"command": ["echo", "hi"]}""")
            .Constrained(new Constraints { AllowedCommands = ["git"] })
            .FaultOf(Handler);

        Assert.Equal(("command_not_allowed", FaultClass.Terminal), (fault.Code, fault.FaultClass));
    }

    [Theory]
    [InlineData("/bin/echo")]
    [InlineData("./echo")]
    public async Task Path_is_refused_unless_it_is_listed_exactly(string program)
    {
        Assert.Equal("command_not_allowed", (await _run.With($$"""{"command": ["{{program}}"]}""").FaultOf(Handler)).Code);
        Assert.Equal("command_not_allowed", (await _run.Constrained(new Constraints { AllowedCommands = ["echo"] }).FaultOf(Handler)).Code);
    }

    [Fact]
    public async Task Program_at_a_listed_path_runs() =>
        Assert.Equal(
            0,
            (await _run.With("""{"command": ["/bin/echo"]}""").Constrained(new Constraints { AllowedCommands = ["/bin/echo"] }).By(Handler))
                .GetProperty("exit_code")
                .GetInt32()
        );

    [Fact]
    public async Task Program_that_does_not_exist_is_a_terminal_fault() =>
        Assert.Equal("command_not_found", (await _run.With("""{"command": ["no-such-program"]}""").FaultOf(Handler)).Code);

    [Fact]
    public async Task Exit_code_other_than_zero_is_a_fault_with_the_end_of_the_output()
    {
        var fault = await _run.With("""{"command": ["sh", "-c", "seq 1 10000 >&2; echo the end >&2; exit 3"]}""").FaultOf(Handler);

        Assert.Equal(("exit:3", null), (fault.Code, fault.FaultClass));
        Assert.EndsWith("10000\nthe end", fault.Message, StringComparison.Ordinal);
        Assert.True(fault.Message.Length < 4096);
    }

    [Fact]
    public async Task Exit_code_that_the_job_lists_as_transient_is_a_transient_fault() =>
        Assert.Equal(
            FaultClass.Transient,
            (await _run.With("""{"command": ["sh", "-c", "exit 75"], "transient_exit_codes": [75]}""").FaultOf(Handler)).FaultClass
        );

    [Fact]
    public async Task Output_over_the_limit_is_cut_and_marked_and_does_not_block_the_program()
    {
        var result = await _run.With("""{"command": ["sh", "-c", "yes '\"' | head -c 5000000; yes | head -c 5000000 >&2"]}""")
            .Constrained(new Constraints { MaxOutputBytes = 2000 })
            .By(Handler);

        Assert.True(result.GetProperty("truncated").GetBoolean());
        Assert.NotEmpty(result.GetProperty("stdout").GetString()!);
        Assert.InRange(System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(result).Length, 500, 2000);
    }
}
