using System.Text;
using Dispatcher.Policies;
using Dispatcher.Policies.Files;
using Dispatcher.Policies.Linting;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Policies;

/// <summary>Builds bundles. The registry has the topic <c>test.run</c> unless it is replaced; its pool enforces every constraint.</summary>
internal sealed record ABundle
{
    public static readonly DateTimeOffset Now = new(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);

    private const string PlainTopics = """
        version: v1
        pools:
          main: { enforcers: [allowed_hosts, allowed_commands, timeout_ms, max_output_bytes] }
        topics:
          test.run: { pool: main, owner: team }
        """;

    public IReadOnlyList<BundleFile> Files { get; private init; } = [];

    /// <summary>Rules, each as the inside of a YAML flow mapping: <c>id: a, match: {topic: test.run}, decision: ALLOW</c>.</summary>
    public static ABundle WithRules(params string[] rules) =>
        new ABundle().AndFile("topics.yaml", PlainTopics).AndRules("rules/test.yaml", rules);

    /// <summary>Rules, and settings of the topic unless they are empty, see <see cref="AndTopic"/>.</summary>
    public static ABundle WithTopic(string entry, params string[] rules) =>
        entry.Length == 0 ? WithRules(rules) : WithRules(rules).AndTopic(entry);

    public static ABundle WithFiles(params (string Path, string Text)[] files) =>
        files.Aggregate(new ABundle(), (bundle, file) => bundle.AndFile(file.Path, file.Text));

    public ABundle AndRules(string path, params string[] rules) =>
        AndFile(path, "version: v1\nrules:" + (rules.Length == 0 ? " []\n" : string.Concat(rules.Select(rule => $"\n  - {{ {rule} }}"))));

    /// <summary>Adds settings to the registry entry of <c>test.run</c>, as the inside of a flow mapping.</summary>
    public ABundle AndTopic(string entry) =>
        AndFile("topics.yaml", PlainTopics.Replace("owner: team", "owner: team, " + entry, StringComparison.Ordinal));

    public ABundle AndFile(string path, string text) =>
        this with
        {
            Files = [.. Files.Where(file => file.Path != path), new BundleFile(path, Encoding.UTF8.GetBytes(text))],
        };

    public IReadOnlyList<LintFinding> Lint() => BundleLint.Check(Files, Now);

    public BundleLoadResult Load() => Bundle.Load(Files);

    public Bundle Build()
    {
        var load = Load();
        Assert.Empty(load.Errors);
        return load.Bundle!;
    }

    /// <summary>Writes the files into a policy folder; other files there stay.</summary>
    public ABundle WriteTo(string folder)
    {
        foreach (var file in Files)
        {
            var path = Path.Combine(folder, file.Path);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllBytes(path, file.Content.ToArray());
        }

        return this;
    }

    public Decision Decide(AJob job) => Build().Decide(job.Facts, Now);
}
