using System.Text.RegularExpressions;
using Dispatcher.Broker;
using Dispatcher.Contracts;

namespace Dispatcher.UnitTests.Contracts;

/// <summary>The page that a client in another language is written from says what the code does.</summary>
public sealed partial class MessagesPageTests
{
    private const string Begin = "<!-- The tables from here on are written from the contracts; MessagesPageTests says how. -->\n";

    private static readonly string PagePath = Path.Combine(Repository.Root, "ops", "messages.md");

    private static readonly Type[] Messages =
    [
        typeof(SubmitJob),
        typeof(JobDecision),
        typeof(Refused),
        typeof(JobEvent),
        typeof(DeadLetterCopy),
        typeof(WorkMessage),
        typeof(PermitClaims),
        typeof(ClaimRequest),
        typeof(ClaimAnswer),
        typeof(HeartbeatRequest),
        typeof(HeartbeatAnswer),
        typeof(OutcomeBatch),
    ];

    [Fact]
    public void The_tables_are_those_of_the_contracts()
    {
        var page = File.ReadAllText(PagePath).Split(Begin);
        var tables = string.Join('\n', new ContractPage().Sections(Messages)).TrimEnd() + "\n";

        if (page[1] != "\n" + tables)
        {
            File.WriteAllText(PagePath + ".received.txt", $"{page[0]}{Begin}\n{tables}");
            Assert.Fail(
                "The tables of ops/messages.md are not those of the contracts. Compare it with ops/messages.md.received.txt; when the change is meant, move that over."
            );
        }

        File.Delete(PagePath + ".received.txt");
    }

    [Fact]
    public void Every_message_of_the_wire_has_a_table()
    {
        var roots = File.ReadAllLines(Path.Combine(Repository.Root, "src", "Dispatcher.Contracts", "WireJson.cs"))
            .Where(line => line.StartsWith("[JsonSerializable(typeof(", StringComparison.Ordinal))
            .Select(line => line.Split('(', ')')[2]);

        Assert.Equal(roots.Order(), Messages.Select(type => type.Name).Order());
    }

    [Fact]
    public void The_arguments_of_the_queues_are_those_that_the_server_declares()
    {
        var rows = QueueRow().Matches(File.ReadAllText(PagePath)).ToDictionary(row => row.Groups[1].Value, row => row.Groups[2].Value);

        Assert.Equal([QueueNames.Unrouted, Queues.Work("<pool>")], rows.Keys.Order(StringComparer.Ordinal));
        Assert.All(
            rows,
            row =>
                Assert.Equal(
                    string.Join(
                        ", ",
                        QueueNames
                            .Arguments(row.Key)
                            .OrderBy(argument => argument.Key, StringComparer.Ordinal)
                            .Select(argument => $"`{argument.Key}` = {argument.Value}")
                    ),
                    row.Value
                )
        );
    }

    /// <summary>Queue and arguments.</summary>
    [GeneratedRegex(@"^\| queue `([^`]+)` \| ([^|]*) \|", RegexOptions.Multiline)]
    private static partial Regex QueueRow();
}
