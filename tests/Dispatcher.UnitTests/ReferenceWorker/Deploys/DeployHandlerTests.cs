using Dispatcher.ReferenceWorker;
using Dispatcher.ReferenceWorker.Deploys;

namespace Dispatcher.UnitTests.ReferenceWorker.Deploys;

public sealed class DeployHandlerTests : IDisposable
{
    private readonly ARun _run = new();

    public DeployHandlerTests() =>
        _run.Settings.Recipes["web"] = new Recipe
        {
            Env = "prod",
            Command = ["sh", "-c", "echo \"$0 to $TARGET in $(pwd)\"", "web-{version}"],
            WorkingFolder = _run.Root,
            Environment = new Dictionary<string, string> { ["TARGET"] = "blue" },
        };

    private DeployHandler Handler => new(_run.Programs, _run.Options);

    public void Dispose() => _run.Dispose();

    [Fact]
    public async Task Runs_the_configured_recipe_with_the_version()
    {
        var result = await _run.With("""{"recipe": "web", "version": "1.2.3"}""").Labelled("env", "prod").By(Handler);

        Assert.Equal($"web-1.2.3 to blue in {_run.Root}\n", result.GetProperty("stdout").GetString());
    }

    [Fact]
    public async Task Standard_error_of_a_recipe_goes_to_the_worker_log_and_not_to_the_producer()
    {
        _run.Settings.Recipes["web"].Command = ["sh", "-c", "echo password=hunter2 >&2; echo done; exit $0", "{version}"];

        var fault = await _run.With("""{"recipe": "web", "version": "3"}""").Labelled("env", "prod").FaultOf(Handler);
        var result = await _run.With("""{"recipe": "web", "version": "0"}""").By(Handler);

        Assert.Equal("exit:3", fault.Code);
        Assert.DoesNotContain("hunter2", fault.Message + result.GetRawText(), StringComparison.Ordinal);
        Assert.Equal("done\n", result.GetProperty("stdout").GetString());
        Assert.Contains("password=hunter2", _run.Log.Text, StringComparison.Ordinal);
        Assert.Contains(
            System.Text.RegularExpressions.Regex.Match(fault.Message, "run ([0-9a-f-]{36})").Groups[1].Value,
            _run.Log.Text,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("env", "dev")]
    [InlineData("env", "Prod")]
    [InlineData("other", "prod")]
    public async Task Refuses_a_job_of_another_env(string label, string value) =>
        Assert.Equal("wrong_env", (await _run.With("""{"recipe": "web", "version": "1"}""").Labelled(label, value).FaultOf(Handler)).Code);

    [Theory]
    [InlineData("-rf")]
    [InlineData("1 2")]
    [InlineData("1;ls")]
    [InlineData("1\\n")]
    [InlineData("")]
    public async Task Refuses_a_version_that_is_not_a_plain_word(string version)
    {
        var fault = await _run.With($$"""{"recipe": "web", "version": "{{version}}"}""").Labelled("env", "prod").FaultOf(Handler);

        Assert.Equal("bad_payload", fault.Code);
    }

    [Fact]
    public async Task Refuses_an_unknown_recipe() =>
        Assert.Equal(
            "unknown_recipe",
            (await _run.With("""{"recipe": "db", "version": "1"}""").Labelled("env", "prod").FaultOf(Handler)).Code
        );

    [Fact]
    public async Task Refuses_a_command_from_the_message() =>
        Assert.Equal(
            "bad_payload",
            (await _run.With("""{"recipe": "web", "version": "1", "command": ["ls"]}""").Labelled("env", "prod").FaultOf(Handler)).Code
        );
}
