using Dispatcher.ReferenceWorker;
using Dispatcher.ReferenceWorker.Settings;
using Dispatcher.Worker;
using Microsoft.Extensions.Options;

namespace Dispatcher.UnitTests.ReferenceWorker;

public sealed class WorkerSettingsTests
{
    [Fact]
    public void The_command_line_beats_the_environment_and_a_secret_may_lie_in_a_file()
    {
        var file = Path.GetTempFileName();
        File.WriteAllText(file, "from-file\n");
        List<string> errors = [];

        var settings = WorkerSettings.Read(
            ["--url", "http://line", "--stop-grace", "90"],
            name =>
                name switch
                {
                    "DISPATCHER_URL" => "http://environment",
                    "DISPATCHER_API_KEY_FILE" => file,
                    _ => null,
                },
            errors
        );

        Assert.Empty(errors);
        var options = new WorkerOptions();
        settings!.Configure(options);
        Assert.Equal(("http://line/", "from-file", 90), (options.Dispatcher!.AbsoluteUri, options.ApiKey, options.StopGrace.TotalSeconds));
        Assert.Matches($"/{Environment.ProcessId}/[0-9a-f]{{6}}$", options.Instance);
        File.Delete(file);
    }

    [Fact]
    public void Every_error_is_named_at_once()
    {
        List<string> errors = [];

        Assert.Null(
            WorkerSettings.Read(
                ["--pools", "shell,nope", "--what", "x", "--concurrency", "many", "--stop-grace", "long", "--url"],
                _ => null,
                errors
            )
        );
        Assert.Equal(5, errors.Count);
    }

    [Fact]
    public void Recipes_are_read_from_their_file()
    {
        var file = Path.GetTempFileName();
        File.WriteAllText(
            file,
            """{"web": {"Env": "prod", "Command": ["deploy", "{version}"], "WorkingFolder": "/srv", "Environment": {"A": "b"}}}"""
        );
        var settings = WorkerSettings.Read(["--recipes", file], _ => null, [])!;
        var options = new ReferenceWorkerOptions();

        settings.Configure(options);

        Assert.Equal(
            ("prod", "{version}", "b"),
            (options.Recipes["web"].Env, options.Recipes["web"].Command[1], options.Recipes["web"].Environment["A"])
        );
        File.Delete(file);
    }

    [Fact]
    public async Task A_worker_without_addresses_or_roots_does_not_start_and_says_all_that_is_missing()
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
}
