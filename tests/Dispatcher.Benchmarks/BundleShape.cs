using System.Text;
using Dispatcher.Policies.Files;
using Dispatcher.Policies.Model;

namespace Dispatcher.Benchmarks;

/// <summary>
/// A way in which a bundle's rules are told apart. Rules come in groups of eight for one target; a job is for one target, so that eight
/// rules match it (of the last group, the rest) however many there are.
/// </summary>
/// <param name="Name">For the table.</param>
/// <param name="Match">The condition of a group's rules, by the group's number.</param>
/// <param name="Topic">The topic of a group's jobs.</param>
internal sealed record BundleShape(string Name, Func<int, string> Match, Func<int, string> Topic)
{
    private const int RulesPerGroup = 8;
    private const int RulesPerFile = 1_000;
    private const int MostJobs = 16;

    public static readonly BundleShape[] All =
    [
        new("a topic each", group => $"topic: job.run.t{group}", group => $"job.run.t{group}"),
        new("a label each", group => $"topic: job.run.all, labels: {{ target: t{group} }}", _ => "job.run.all"),
        new("a principal each", group => $"topic: job.run.all, principal: t{group}", _ => "job.run.all"),
        new("a topic pattern each", group => $"topic: 'job.*.t{group}'", group => $"job.run.t{group}"),
    ];

    public BundleFile[] Files(int rules)
    {
        var topics = string.Concat(Groups(rules).Select(Topic).Distinct().Select(topic => $"  {topic}: {{ pool: main, owner: team }}\n"));
        return
        [
            File("topics.yaml", $"version: v1\npools:\n  main: {{ enforcers: [timeout_ms, allowed_hosts] }}\ntopics:\n{topics}"),
            .. Enumerable
                .Range(0, rules)
                .Chunk(RulesPerFile)
                .Select(chunk => File($"rules/from-{chunk[0]}.yaml", "version: v1\nrules:\n" + string.Concat(chunk.Select(Rule)))),
        ];
    }

    /// <summary>Jobs for groups from the first to the last.</summary>
    public JobFacts[] Jobs(int rules)
    {
        var groups = Groups(rules).ToArray();
        var count = Math.Min(groups.Length, MostJobs);
        return [.. Enumerable.Range(0, count).Select(i => Job(groups[(int)((long)i * groups.Length / count)]))];
    }

    private string Rule(int number) => $"  - {{ id: r{number}, match: {{ {Match(number / RulesPerGroup)} }}, {Effect(number % 4)} }}\n";

    private JobFacts Job(int group) =>
        new()
        {
            Topic = Topic(group),
            Principal = $"t{group}",
            Labels = new Dictionary<string, string> { ["target"] = $"t{group}", ["env"] = "prod" },
            RiskTags = ["egress"],
            Payload = "{}"u8.ToArray(),
        };

    private static IEnumerable<int> Groups(int rules) => Enumerable.Range(0, (rules + RulesPerGroup - 1) / RulesPerGroup);

    private static string Effect(int kind) =>
        kind switch
        {
            0 => "decision: ALLOW",
            1 => "decision: ALLOW_WITH_CONSTRAINTS, constraints: { timeout_ms: 15000 }",
            2 => "decision: ALLOW_WITH_CONSTRAINTS, constraints: { allowed_hosts: [a.example.org, b.example.org] }",
            _ => "decision: REQUIRE_APPROVAL, reason: a person looks at it",
        };

    private static BundleFile File(string path, string text) => new(path, Encoding.UTF8.GetBytes(text));
}
