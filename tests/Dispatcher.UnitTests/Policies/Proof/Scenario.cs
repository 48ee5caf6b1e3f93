using Dispatcher.Contracts;
using Dispatcher.Policies;
using Dispatcher.Policies.Files;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.FSharp.Core;

namespace Dispatcher.UnitTests.Policies.Proof;

/// <summary>A bundle and the jobs to decide with it. A failure prints the smallest failing variant together with its seed.</summary>
internal sealed record Scenario(BundleModel Bundle, IReadOnlyList<JobModel> Jobs)
{
    /// <summary>A rule that is not in the bundle, for properties that add one.</summary>
    public RuleModel Extra { get; init; } =
        new()
        {
            Id = "extra",
            Match = new MatchModel(),
            Decision = Verdict.Deny,
        };

    /// <summary>For properties that reorder.</summary>
    public int Seed { get; init; }

    /// <summary>Checks the same scenarios on every run.</summary>
    public static void ForAll(int count, int jobs, Action<Scenario> property) =>
        Check(Config.QuickThrowOnFailure.WithReplay(FsSeed(20261125)), count, jobs, property);

    /// <summary>Checks other scenarios on every run. A failure prints its seed.</summary>
    public static void ForAllFresh(int count, int jobs, Action<Scenario> property) =>
        Check(Config.QuickThrowOnFailure, count, jobs, property);

    public static IEnumerable<Scenario> Sample(int count, int jobs) => PolicyGen.Scenarios(jobs).Sample(count, new Rnd(20261125, 1), count);

    /// <summary>The bundle as files, with all rules in one.</summary>
    public static Bundle Load(BundleModel bundle)
    {
        BundleYaml yaml = new();
        return Load(BundleYaml.File("topics.yaml", yaml.Topics(bundle)), BundleYaml.File("rules/all.yaml", yaml.Rules(bundle.Rules)));
    }

    public static Bundle Load(params BundleFile[] files)
    {
        var load = Dispatcher.Policies.Bundle.Load(files);
        Assert.Empty(load.Errors);
        return load.Bundle!;
    }

    public BundleModel WithRules(params RuleModel[] added) => Bundle with { Rules = [.. Bundle.Rules, .. added] };

    public override string ToString()
    {
        BundleYaml yaml = new();
        return $"\n{yaml.Topics(Bundle)}{yaml.Rules(Bundle.Rules)}extra rule, seed {Seed}:\n{yaml.Rules([Extra])}{Jobs.Count} "
            + $"jobs:\n{string.Join('\n', Jobs.Take(3))}\n";
    }

    private static void Check(Config config, int count, int jobs, Action<Scenario> property) =>
        Prop.ForAll(Arb.From(PolicyGen.Scenarios(jobs), PolicyShrink.Of), property)
            .Check(config.WithMaxTest(count).WithQuietOnSuccess(true));

    private static FSharpOption<Replay> FsSeed(ulong seed) =>
        FSharpOption<Replay>.Some(new Replay(new Rnd(seed, 1), FSharpOption<int>.None));
}
