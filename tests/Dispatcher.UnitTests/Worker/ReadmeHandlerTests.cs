using System.Diagnostics;
using Dispatcher.Contracts;
using Dispatcher.UnitTests.ReferenceWorker;
using Dispatcher.Worker;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Dispatcher.UnitTests.Worker;

/// <summary>The worker that src/Dispatcher.Worker/README.md shows: its text is compiled here, registered and run.</summary>
public sealed class ReadmeHandlerTests
{
    private static readonly Constraints Allowed = new() { AllowedCommands = ["true", "false"] };

    [Fact]
    public void Handler_of_this_test_is_the_one_that_the_README_shows()
    {
        var tested = File.ReadAllText(Path.Combine(Repository.Root, "tests/Dispatcher.UnitTests/Worker/ReadmeHandlerTests.cs"));
        var shown = File.ReadAllText(Path.Combine(Repository.Root, "src/Dispatcher.Worker/README.md"))
            .Split("```csharp\n")
            .Skip(1)
            .Select(block => block.Split("\n```")[0])
            .Where(block => block.Contains("ShellHandler", StringComparison.Ordinal))
            .ToList();

        Assert.Equal(2, shown.Count);
        Assert.All(
            shown,
            block => Assert.Contains(block, tested.Replace("\n        ", "\n", StringComparison.Ordinal) + tested, StringComparison.Ordinal)
        );
    }

    [Fact]
    public void Registration_of_the_README_resolves_its_handler()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration["DISPATCHER_RABBITMQ"] = "amqp://127.0.0.1:1/";

        Register(builder);

        using var host = builder.Build();
        using var scope = host.Services.CreateScope();
        Assert.NotNull(scope.ServiceProvider.GetRequiredService<ShellHandler>());
    }

    [Fact]
    public async Task Start_of_the_README_reports_all_missing_settings_at_once()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        Register(builder);
        builder.Logging.ClearProviders();
        using var host = builder.Build();

        var wrong = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync(TestContext.Current.CancellationToken));

        Assert.Contains(wrong.Failures, failure => failure.Contains("RabbitMq", StringComparison.Ordinal));
        Assert.Contains(wrong.Failures, failure => failure.Contains("Dispatcher", StringComparison.Ordinal));
        Assert.Contains(wrong.Failures, failure => failure.Contains("ApiKey", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Handler_of_the_README_runs_only_what_the_decision_allows()
    {
        using var run = new ARun();
        var handler = new ShellHandler(NullLogger<ShellHandler>.Instance);

        var result = await run.Constrained(Allowed).With("""{"command": ["true"]}""").By(handler);
        var failed = await run.With("""{"command": ["false"]}""").FaultOf(handler);
        var denied = await run.With("""{"command": ["touch"]}""").FaultOf(handler);
        var unlimited = await run.Constrained(new Constraints()).With("""{"command": ["true"]}""").FaultOf(handler);

        Assert.Equal(0, result.GetProperty("exit_code").GetInt32());
        Assert.Equal(("exit:1", (FaultClass?)null), (failed.Code, failed.FaultClass));
        Assert.Equal(("command_not_allowed", FaultClass.Terminal), (denied.Code, denied.FaultClass));
        Assert.Equal("command_not_allowed", unlimited.Code);
    }

    private static void Register(HostApplicationBuilder builder)
    {
        builder
            .Services.AddDispatcherWorker(
                "shell",
                options =>
                {
                    options.RabbitMq = builder.Configuration["DISPATCHER_RABBITMQ"] is { } broker ? new Uri(broker) : null;
                    options.Dispatcher = builder.Configuration["DISPATCHER_URL"] is { } server ? new Uri(server) : null;
                    options.ApiKey = builder.Configuration["DISPATCHER_API_KEY"];
                    options.EffectStore = builder.Configuration["DISPATCHER_EFFECTS"]; // for OnceAsync
                }
            )
            .Handle<ShellHandler>("job.exec.shell")
            .Enforces("allowed_commands");
        builder.Logging.AddSimpleConsole(console => console.IncludeScopes = true); // each line of a run shows its job
    }
}

#pragma warning disable CA1848, CA1873 // The README shows the shortest way to log.
internal sealed class ShellHandler(ILogger<ShellHandler> log) : IJobHandler
{
    public async Task<JobResult> RunAsync(JobRun run, CancellationToken cancellationToken)
    {
        var command = run.Payload.GetProperty("command").EnumerateArray().Select(part => part.GetString()!).ToList();
        var program = command[0];
        if (run.Constraints.AllowedCommands?.Contains(program) != true) // declared with Enforces
        {
            throw JobFaultException.Terminal("command_not_allowed", $"'{program}' is not allowed.");
        }

        log.LogInformation("Starting {Program}", program);
        using var process = Process.Start(new ProcessStartInfo(program, command.Skip(1)))!;
        await process.WaitForExitAsync(cancellationToken); // cancelled at the time limit, or when the job or the worker stops
        return process.ExitCode switch
        {
            0 => JobResult.From(new { exit_code = 0 }),
            75 => throw JobFaultException.Transient("exit:75", "The program asks to be started again.", TimeSpan.FromSeconds(5)),
            var code => throw new JobFaultException(null, $"exit:{code}", "The program failed."), // the topic's table of faults decides
        };
    }
}
#pragma warning restore CA1848, CA1873
