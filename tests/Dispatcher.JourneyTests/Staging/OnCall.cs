using System.CommandLine.Parsing;
using System.Globalization;
using Npgsql;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>
/// A person on call who follows one entry of the runbook: runs its commands as the page shows them, with names filled in.
/// <see cref="HasRunAll"/> fails if a command of the entry was not run.
/// </summary>
/// <param name="journey">The database, and the virtual host of the broker.</param>
/// <param name="server">The server that the commands call.</param>
/// <param name="heading">The entry.</param>
internal sealed class OnCall(Journey journey, DispatcherServer server, string heading)
{
    private readonly HashSet<string> _left = [.. Runbook.Commands(heading)];

    /// <summary>Runs a command of the entry. It must succeed; <c>dispatcher status</c> may report a problem.</summary>
    /// <param name="command">As the page shows it.</param>
    /// <param name="values">
    /// What stands for a word of the page, for example <c>("ID", id)</c>. The value of an empty word is a further argument.
    /// </param>
    public Task<string> RunAsync(string command, params (string Word, string Value)[] values) =>
        RunAsync(command.StartsWith("dispatcher status", StringComparison.Ordinal) ? [0, 1] : [0], command, values);

    /// <summary>The same with the exit codes that the entry allows.</summary>
    public async Task<string> RunAsync(int[] codes, string command, params (string Word, string Value)[] values)
    {
        Assert.True(
            Runbook.Commands(heading).Contains(command),
            $"The entry \"{heading}\" does not have the command \"{command}\". It has:\n{string.Join('\n', Runbook.Commands(heading))}"
        );
        var filled = values
            .Where(value => value.Word.Length > 0)
            .Aggregate(command, (text, value) => text.Replace(value.Word, value.Value, StringComparison.Ordinal));
        string[] more = [.. values.Where(value => value.Word.Length == 0).Select(value => value.Value)];
        var (code, output) = command.Split(' ')[0] switch
        {
            "dispatcher" => await CommandLineRun.OfAsync(Environment, [.. CommandLineParser.SplitCommandLine(filled).Skip(1), .. more]),
            "curl" or "rabbitmqctl" => await ShellAsync(string.Join(' ', [filled, .. more])),
            _ => (0, await SqlAsync(filled)),
        };
        Assert.True(codes.Contains(code), $"{heading}: $ {filled}\n{output}\nexit code {code}, not {string.Join(" or ", codes)}");
        _left.Remove(command);
        return output;
    }

    /// <summary>The options of the verbs that read the database; a person on call has them in the environment.</summary>
    public (string Word, string Value)[] Owner => [("", "--postgres"), ("", journey.Postgres), ("", "--audit"), ("", journey.Audit)];

    public void HasRunAll() => Assert.True(_left.Count == 0, $"{heading}: no test runs these commands: {string.Join(", ", _left)}");

    /// <summary>Of a person on call.</summary>
    public IReadOnlyDictionary<string, string> Environment =>
        new Dictionary<string, string>
        {
            ["DISPATCHER_URL"] = server.Address,
            ["DISPATCHER_API_KEY"] = DispatcherServer.AdminKey,
            ["DISPATCHER_RABBITMQ_MANAGEMENT"] = Servers.ManagementSetting,
            ["DISPATCHER_RABBITMQ"] = journey.BrokerAs(Journey.ServerUser).AbsoluteUri,
            ["DISPATCHER_POSTGRES"] = journey.Postgres,
        };

    /// <summary>With the function of "Daily commands", and the broker's program for the node of the tests.</summary>
    private async Task<(int Code, string Output)> ShellAsync(string command)
    {
        var line = $$"""
            auth() { echo "Authorization: Bearer $DISPATCHER_API_KEY"; }
            rabbitmqctl() { '{{Servers.RabbitMqCtl}}' "$@"; }
            {{command}}
            """;
        await using var bash = new ChildProcess(Environment, "bash", ["-c", line]);
        return (await bash.EndAsync(TimeSpan.FromSeconds(60)), bash.Log);
    }

    private async Task<string> SqlAsync(string statement)
    {
        await using var database = NpgsqlDataSource.Create(journey.Postgres);
        await using var command = database.CreateCommand(statement);
        await using var reader = await command.ExecuteReaderAsync(TestContext.Current.CancellationToken);
        var lines = new List<string>();
        while (await reader.ReadAsync(TestContext.Current.CancellationToken))
        {
            var values = new object[reader.FieldCount];
            reader.GetValues(values);
            lines.Add(string.Join(" | ", values.Select(value => Convert.ToString(value, CultureInfo.InvariantCulture))));
        }

        return string.Join('\n', lines);
    }
}
