using System.Text.Json;
using System.Text.RegularExpressions;
using YamlDotNet.RepresentationModel;

namespace Dispatcher.UnitTests.Documents;

/// <summary>
/// The alert rules and the dashboard use metrics that exist, with labels that they have, and each alert has its entry in the runbook.
/// <c>promtool check rules</c> and <c>promtool test rules</c> check the rules themselves.
/// </summary>
public sealed partial class AlertsTests
{
    /// <summary>Of Prometheus, not of the programs.</summary>
    private const string Up = "up";

    private static readonly string[] Annotations = ["summary", "description", "runbook"];

    private static readonly string[] EntryParts = ["Means", "Look", "Do", "Over"];

    public static TheoryData<string> Alerts => [.. Rules().Select(Name)];

    [Fact]
    public void Rules_and_dashboard_use_metrics_that_exist()
    {
        using var tables = new MetricsTables();
        var known = tables.Names.Append(Up).ToHashSet(StringComparer.Ordinal);

        var expressions = Rules().Select(rule => Text(rule, "expr")).Concat(DashboardExpressions()).ToList();

        Assert.True(expressions.Count > 40);
        Assert.All(expressions, expression => Assert.DoesNotContain(MetricsOf(expression), name => !known.Contains(Series(name, known))));
    }

    [Fact]
    public void Rules_and_dashboard_use_labels_that_exist()
    {
        using var tables = new MetricsTables();
        var all = string.Join('\n', tables.All());
        string[] ofPrometheus = ["instance", "job", "le"];

        var labels = Rules()
            .Select(rule => Text(rule, "expr"))
            .Concat(DashboardExpressions())
            .SelectMany(expression => Grouped().Matches(expression).SelectMany(by => by.Groups[1].Value.Split(", ")))
            .Distinct()
            .ToList();

        Assert.Contains("pool", labels);
        Assert.All(labels.Except(ofPrometheus), label => Assert.Contains($"`{label}`", all, StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Alerts))]
    public void Alert_is_complete_and_has_its_entry_in_the_runbook(string alert)
    {
        var rule = Rules().Single(rule => Name(rule) == alert);
        var annotations = (YamlMappingNode)rule.Children["annotations"];

        Assert.Matches("^[1-9][0-9]*[mh]$", Text(rule, "for"));
        Assert.Matches("^(critical|warning|info)$", Text((YamlMappingNode)rule.Children["labels"], "severity"));
        Assert.All(Annotations, name => Assert.NotEmpty(Text(annotations, name)));
        Assert.Equal($"ops/runbook.md#{alert.ToLowerInvariant()}", Text(annotations, "runbook"));
        var entry = Entry(alert);
        Assert.All(EntryParts, part => Assert.Contains($"- **{part}:** ", entry, StringComparison.Ordinal));
    }

    [Fact]
    public void Runbook_has_no_entry_of_an_alert_that_does_not_exist()
    {
        var entries = Heading()
            .Matches(Runbook())
            .Select(heading => heading.Groups[1].Value)
            .Where(name => name.StartsWith("Dispatcher", StringComparison.Ordinal));

        Assert.Equal(Rules().Select(Name).Order(StringComparer.Ordinal), entries.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_alert_has_a_case_that_fires_and_one_that_does_not()
    {
        var cases = ((YamlSequenceNode)Yaml("alerts.test.yaml").Children["tests"])
            .Select(one => Text((YamlMappingNode)one, "name"))
            .ToHashSet();

        Assert.Equal(
            Rules().SelectMany(rule => new[] { $"{Name(rule)} does not fire", $"{Name(rule)} fires" }).Order(StringComparer.Ordinal),
            cases.Order(StringComparer.Ordinal)
        );
    }

    private static IEnumerable<YamlMappingNode> Rules() =>
        ((YamlSequenceNode)Yaml("alerts.yaml").Children["groups"])
            .SelectMany(group => (YamlSequenceNode)((YamlMappingNode)group).Children["rules"])
            .Cast<YamlMappingNode>();

    private static string Name(YamlMappingNode rule) => Text(rule, "alert");

    private static string Text(YamlMappingNode node, string name) => ((YamlScalarNode)node.Children[name]).Value!;

    private static YamlMappingNode Yaml(string file)
    {
        var yaml = new YamlStream();
        yaml.Load(new StringReader(File.ReadAllText(Path.Combine(Repository.Root, $"ops/telemetry/{file}"))));
        return (YamlMappingNode)yaml.Documents[0].RootNode;
    }

    private static IEnumerable<string> DashboardExpressions() =>
        JsonDocument
            .Parse(File.ReadAllText(Path.Combine(Repository.Root, "ops/telemetry/dashboard.json")))
            .RootElement.GetProperty("panels")
            .EnumerateArray()
            .SelectMany(panel => panel.GetProperty("targets").EnumerateArray())
            .Select(target => target.GetProperty("expr").GetString()!);

    /// <summary>Each name that an expression selects: dispatcher metrics, and any other name that is no function or label.</summary>
    private static IEnumerable<string> MetricsOf(string expression) => Metric().Matches(expression).Select(name => name.Value);

    /// <summary>A histogram has three series.</summary>
    private static string Series(string name, HashSet<string> known) => known.Contains(name) ? name : Suffix().Replace(name, "");

    private static string Runbook() => File.ReadAllText(Path.Combine(Repository.Root, "ops/runbook.md"));

    private static string Entry(string alert) =>
        Runbook().Split($"\n### {alert}\n") is [_, var rest] ? rest.Split("\n#")[0] : $"no entry {alert}";

    [GeneratedRegex(@"\b(?:dispatcher_\w+|up)\b(?!=)")]
    private static partial Regex Metric();

    [GeneratedRegex("_(?:bucket|sum|count)$")]
    private static partial Regex Suffix();

    [GeneratedRegex(@"\b(?:by|on) \(([\w, ]+)\)")]
    private static partial Regex Grouped();

    [GeneratedRegex(@"(?m)^### (\w+)$")]
    private static partial Regex Heading();
}
