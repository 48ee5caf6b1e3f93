using System.Reflection;
using System.Text.RegularExpressions;
using Dispatcher.Broker;
using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Contracts;

/// <summary>Compares the README of the contracts with the code. Authors of clients in other languages use it.</summary>
public sealed partial class ContractPageTests
{
    private const string Begin =
        "<!-- Generated from here on; ContractPageTests fails when the records differ, and writes the new text. -->\n";

    private static readonly string PagePath = Path.Combine(Repository.Root, "src", "Dispatcher.Contracts", "README.md");

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
    public void Tables_and_examples_are_those_of_the_records()
    {
        var page = File.ReadAllText(PagePath).Split(Begin);
        var generated = string.Join('\n', new ContractPage().Sections(Messages)).TrimEnd() + "\n";

        if (page[1] != "\n" + generated)
        {
            File.WriteAllText(PagePath + ".received.txt", $"{page[0]}{Begin}\n{generated}");
            Assert.Fail(
                "The tables and examples of src/Dispatcher.Contracts/README.md are not those of the records. "
                    + "Compare it with README.md.received.txt beside it; if the change is wanted, move that file over it."
            );
        }

        File.Delete(PagePath + ".received.txt");
    }

    [Fact]
    public void Reason_codes_are_listed() =>
        Assert.Equal(
            Constants(typeof(ReasonCodes))
                .Concat([PolicyGate.HashMismatch, PolicyGate.TimelineMismatch, PolicyGate.NoOwner])
                .Order(StringComparer.Ordinal),
            Codes("Reason codes")
        );

    [Fact]
    public void Fault_classes_and_codes_are_listed()
    {
        Assert.Equal(Constants(typeof(FaultClasses)).Concat(["malformed", "poison"]).Order(StringComparer.Ordinal), Codes("Fault classes"));
        Assert.Equal(Constants(typeof(FaultCodes)).Order(StringComparer.Ordinal), Codes("Fault codes"));
    }

    /// <summary>The approved refusals have one example of each error of the body and the properties.</summary>
    [Fact]
    public void Refusal_codes_are_listed()
    {
        var refusals = File.ReadAllText(Path.Combine(Repository.Root, "tests", "Dispatcher.UnitTests", "Intake", "Refusals.approved.txt"));
        var seen = RefusalCode().Matches(refusals).Select(match => match.Groups[1].Value).Distinct();
        string[] elsewhere = ["bad_reply_to", "conflict", "not_published_to_jobs", "payload_invalid", "poison", "too_many_errors"];

        Assert.Equal(seen.Concat(elsewhere).Order(StringComparer.Ordinal), Codes("Refusal codes"));
    }

    [Fact]
    public void Every_message_has_a_table()
    {
        var roots = File.ReadAllLines(Path.Combine(Repository.Root, "src", "Dispatcher.Contracts", "WireJson.cs"))
            .Where(line => line.StartsWith("[JsonSerializable(typeof(", StringComparison.Ordinal))
            .Select(line => line.Split('(', ')')[2]);

        Assert.Equal(roots.Order(), Messages.Select(type => type.Name).Order());
    }

    [Fact]
    public void Queue_arguments_are_those_that_the_server_declares()
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

    /// <summary>The codes in the first column of the table below a heading.</summary>
    private static IEnumerable<string> Codes(string heading)
    {
        var section = File.ReadAllText(PagePath).Split($"### {heading}\n")[1].Split("\n#")[0];
        return section
            .Split('\n')
            .Where(line => line.StartsWith("| `", StringComparison.Ordinal))
            .SelectMany(line => Code().Matches(line.Split('|')[1]))
            .Select(match => match.Groups[1].Value)
            .Order(StringComparer.Ordinal);
    }

    private static IEnumerable<string> Constants(Type type) =>
        type.GetFields(BindingFlags.Public | BindingFlags.Static).Select(field => (string)field.GetRawConstantValue()!);

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Code();

    [GeneratedRegex("^    ([a-z0-9_]+) at ", RegexOptions.Multiline)]
    private static partial Regex RefusalCode();

    /// <summary>Queue and arguments.</summary>
    [GeneratedRegex(@"^\| queue `([^`]+)` \| ([^|]*) \|", RegexOptions.Multiline)]
    private static partial Regex QueueRow();
}
