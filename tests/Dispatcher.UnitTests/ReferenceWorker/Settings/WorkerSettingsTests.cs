using Dispatcher.ReferenceWorker;
using Dispatcher.ReferenceWorker.Settings;
using Dispatcher.Worker;
using Microsoft.Extensions.Options;

namespace Dispatcher.UnitTests.ReferenceWorker.Settings;

public sealed class WorkerSettingsTests
{
    [Fact]
    public void An_option_beats_its_variable_and_a_secret_is_read_from_a_file()
    {
        var file = Path.GetTempFileName();
        File.WriteAllText(file, "from-file\n");
        var (settings, errors) = Read(
            ["--url", "http://line", "--stop-grace", "90"],
            name =>
                name switch
                {
                    "DISPATCHER_URL" => "http://environment",
                    "DISPATCHER_API_KEY_FILE" => file,
                    _ => null,
                }
        );

        Assert.Empty(errors);
        var options = new WorkerOptions();
        settings!.Configure(options);
        Assert.Equal(("http://line/", "from-file", 90), (options.Dispatcher!.AbsoluteUri, options.ApiKey, options.StopGrace.TotalSeconds));
        Assert.Matches($"/{Environment.ProcessId}/[0-9a-f]{{6}}$", options.Instance);
        File.Delete(file);
    }

    [Fact]
    public void The_last_value_of_a_repeated_option_counts() =>
        Assert.Equal("b", Read(["--instance", "a", "--instance", "b"]).Settings!.Instance);

    [Fact]
    public void Value_is_read_literally() => Assert.Equal("@shell", Read(["--instance", "@shell"]).Settings!.Instance);

    [Fact]
    public void All_errors_are_reported_at_once()
    {
        var (settings, errors) = Read(
            ["--pools", "shell,nope", "--concurrency", "many", "--egress-proxy", "proxy", "--recipes", "/nonexistent", "--url"],
            name =>
                name is "DISPATCHER_STOP_GRACE" ? "long"
                : name is "DISPATCHER_API_KEY_FILE" ? "/nonexistent"
                : null
        );

        Assert.Null(settings);
        Assert.Equal(
            [
                "Required argument missing for option: '--url'.",
                "DISPATCHER_API_KEY_FILE names '/nonexistent', which does not exist.",
                "--pools (DISPATCHER_POOLS) has 'nope', which is not a pool (known: repo, shell, integrations, deploy).",
                "--concurrency (DISPATCHER_CONCURRENCY) must be a number, not 'many'.",
                "--stop-grace (DISPATCHER_STOP_GRACE) must be a number of seconds, not 'long'.",
                "--recipes (DISPATCHER_RECIPES): '/nonexistent' does not exist. "
                    + """Name a JSON file such as {"web": {"Env": "prod", "Command": ["deploy"]}}.""",
                "--egress-proxy (DISPATCHER_EGRESS_PROXY) must be an address such as http://proxy:3128, not 'proxy'.",
            ],
            errors
        );
    }

    [Theory]
    [InlineData("--uri", "--url")]
    [InlineData("--pool", "--pools")]
    [InlineData("--shell-rot", "--shell-root")]
    public void An_unknown_option_is_reported_with_the_nearest_one(string unknown, string nearest)
    {
        var (settings, errors) = Read([unknown, "value"]);

        Assert.Null(settings);
        Assert.Equal([$"'{unknown}' is not an option. Did you mean '{nearest}'? All options: dispatcher-worker --help."], errors);
    }

    [Theory]
    [InlineData("serve")]
    [InlineData("--what")]
    [InlineData("--version")]
    public void Argument_that_is_not_an_option_is_a_usage_error(string argument)
    {
        var (settings, errors) = Read([argument]);

        Assert.Null(settings);
        Assert.Equal([$"'{argument}' is not an option. All options: dispatcher-worker --help."], errors);
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("-h")]
    [InlineData("--nope", "--help")]
    public void Help_is_shown_even_if_other_arguments_are_wrong(params string[] arguments) =>
        Assert.True(WorkerCommand.IsHelp(WorkerCommand.Parse(arguments)));

    [Fact]
    public void The_help_names_every_option_and_the_exit_codes()
    {
        var help = WorkerCommand.Help();

        Assert.All(WorkerCommand.Names, name => Assert.Contains("--" + name, help, StringComparison.Ordinal));
        Assert.Contains("Exit codes: 0 stopped", help, StringComparison.Ordinal);
    }

    [Fact]
    public void Recipes_are_read_from_their_file()
    {
        var file = Path.GetTempFileName();
        File.WriteAllText(
            file,
            """{"web": {"Env": "prod", "Command": ["deploy", "{version}"], "WorkingFolder": "/srv", "Environment": {"A": "b"}}}"""
        );
        var options = new ReferenceWorkerOptions();

        Read(["--recipes", file]).Settings!.Configure(options);

        Assert.Equal(
            ("prod", "{version}", "b"),
            (options.Recipes["web"].Env, options.Recipes["web"].Command[1], options.Recipes["web"].Environment["A"])
        );
        File.Delete(file);
    }

    [Fact]
    public async Task Worker_without_addresses_or_roots_does_not_start_and_reports_all_missing_settings()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddReferenceWorker(["repo", "shell"], _ => { });
        using var host = builder.Build();

        var exception = await Assert.ThrowsAnyAsync<Exception>(() => host.StartAsync(TestContext.Current.CancellationToken));

        var failures = (exception is AggregateException many ? many.InnerExceptions : [exception])
            .OfType<OptionsValidationException>()
            .SelectMany(one => one.Failures)
            .ToList();
        foreach (var missing in (string[])["RepoRoot", "ShellRoot", "RabbitMq", "Dispatcher", "ApiKey"])
        {
            Assert.Contains(failures, failure => failure.Contains(missing, StringComparison.Ordinal));
        }
    }

    /// <summary>The HTTP library would refuse it, which looks like a dispatcher that does not answer.</summary>
    [Theory]
    [InlineData("key-Zo\u00eb")]
    [InlineData("\ufeffkey")]
    [InlineData("key\nkey")]
    [InlineData("my key")]
    public async Task Worker_with_a_key_that_cannot_be_sent_does_not_start(string key)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddReferenceWorker(
            ["integrations"],
            _ => { },
            (_, options) =>
                (options.RabbitMq, options.Dispatcher, options.ApiKey) = (
                    new Uri("amqp://127.0.0.1:1/"),
                    new Uri("http://127.0.0.1:1/"),
                    key
                )
        );
        using var host = builder.Build();

        var wrong = Assert.Throws<OptionsValidationException>(() => host.Services.GetRequiredService<IStartupValidator>().Validate());

        Assert.Equal(
            "Pool 'integrations': ApiKey contains spaces, line breaks or characters outside ASCII. "
                + "Use the key as 'dispatcher keys create' printed it.",
            Assert.Single(wrong.Failures)
        );
    }

    private static (WorkerSettings? Settings, List<string> Errors) Read(
        IReadOnlyList<string> arguments,
        Func<string, string?>? environment = null
    )
    {
        List<string> errors = [];
        return (WorkerSettings.Read(WorkerCommand.Parse(arguments), environment ?? (_ => null), errors), errors);
    }
}
