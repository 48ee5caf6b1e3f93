using System.Text.RegularExpressions;
using Dispatcher.ReferenceWorker.Settings;

namespace Dispatcher.UnitTests.CommandLine;

public sealed partial class ArgumentSecretsTests
{
    [Theory]
    [InlineData("serve --rabbitmq amqp://dispatcher:hunter2@mq/ --data x", "DISPATCHER_RABBITMQ")]
    [InlineData("serve --postgres Host=db;Password=hunter2 --data x", "DISPATCHER_POSTGRES")]
    [InlineData("migrate --postgres Host=127.0.0.1;Port=1;Pwd=hunter2", "DISPATCHER_POSTGRES")]
    [InlineData("audit verify --postgres Host=127.0.0.1;Port=1;PASSWORD=hunter2", "DISPATCHER_POSTGRES")]
    [InlineData("audit export --postgres Host=127.0.0.1;Port=1;password=hunter2", "DISPATCHER_POSTGRES")]
    [InlineData("jobs list --url http://127.0.0.1:1 --api-key hunter2", "DISPATCHER_API_KEY")]
    public async Task Warns_once_of_a_secret_in_arguments_without_showing_it(string arguments, string variable)
    {
        var call = await CommandLineCall.RunAsync(arguments.Split(' '));

        var warning = Assert.Single(call.Error.Split('\n'), line => line.StartsWith("warning:", StringComparison.Ordinal));
        Assert.Contains(variable, warning, StringComparison.Ordinal);
        Assert.Contains("_FILE", warning, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", call.Output + call.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("migrate --postgres Host=127.0.0.1;Port=1;Username=dispatcher")]
    [InlineData("serve --rabbitmq amqp://dispatcher@mq/ --data x")]
    [InlineData("jobs list --url http://127.0.0.1:1")]
    public async Task Does_not_warn_of_arguments_without_a_secret(string arguments) =>
        Assert.DoesNotContain("warning:", (await CommandLineCall.RunAsync(arguments.Split(' '))).Error, StringComparison.Ordinal);

    [Theory]
    [MemberData(nameof(HelpTests.Verbs), MemberType = typeof(HelpTests))]
    public async Task Help_shows_no_secret_in_arguments(string verb)
    {
        var help = await CommandLineCall.RunAsync([.. verb.Split(' '), "--help"]);

        Assert.DoesNotMatch(SecretArgument(), help.Output);
    }

    [Fact]
    public void Pages_and_worker_help_show_no_secret_in_arguments()
    {
        var shell = Documents
            .PageLinkTests.Pages()
            .SelectMany(page => ShellBlock().Matches(File.ReadAllText(Path.Combine(Repository.Root, page.Data))))
            .Select(match => match.Value);

        Assert.All([WorkerCommand.Help(), .. shell], text => Assert.DoesNotMatch(SecretArgument(), text));
    }

    [Theory]
    [InlineData("--rabbitmq", "amqp://worker:hunter2@mq/", "DISPATCHER_RABBITMQ")]
    [InlineData("--api-key", "hunter2", "DISPATCHER_API_KEY")]
    [InlineData("--effects", "Host=db;Password=hunter2", "DISPATCHER_EFFECTS")]
    public void Worker_warns_of_a_secret_in_arguments(string option, string value, string variable)
    {
        var warning = WorkerSettings.Read(WorkerCommand.Parse([option, value]), _ => null, [])!.Warning!;

        Assert.Contains(variable, warning, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", warning, StringComparison.Ordinal);
    }

    [Fact]
    public void Worker_does_not_warn_of_variables_or_arguments_without_a_secret()
    {
        string[] arguments = ["--rabbitmq", "amqp://worker@mq:5672/", "--effects", "/srv/effects.db"];

        Assert.Null(
            WorkerSettings.Read(WorkerCommand.Parse(arguments), name => name == "DISPATCHER_API_KEY" ? "hunter2" : null, [])!.Warning
        );
    }

    [GeneratedRegex(
        """--(rabbitmq|postgres|effects)[ =]"?[^\n]*(:[^/@\s]+@|Password=)|--api-key[ =](?!<?KEY)\S|-H "[^"]*\$DISPATCHER_API_KEY"""
    )]
    private static partial Regex SecretArgument();

    [GeneratedRegex("```bash\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex ShellBlock();
}
