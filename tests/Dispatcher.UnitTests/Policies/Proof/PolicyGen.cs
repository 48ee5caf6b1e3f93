using Dispatcher.Contracts;
using Dispatcher.Policies.Model;
using FsCheck;
using FsCheck.Fluent;

namespace Dispatcher.UnitTests.Policies.Proof;

/// <summary>
/// Generates bundles and jobs from domains so small that rules collide often. Principals are also values of labels, so that a label with
/// the principal as its source can be tested.
/// </summary>
internal static class PolicyGen
{
    private static readonly string[] TopicNames = ["test.run", "test.build", "job.run.x"];
    private static readonly string[] TopicPatterns =
    [
        .. TopicNames,
        "test.*",
        "*.run",
        "job.*.x",
        "*.*.*",
        "*.*",
        "*",
        "job.**",
        "test.run.**",
        "**",
        "**",
    ];
    private static readonly string[] LabelNames = ["env", "size", "kind"];
    private static readonly string[] LabelValues = ["dev", "prod", "no"];
    private static readonly string[] TagNames = ["pii", "egress", "pay"];
    private static readonly string[] Principals = ["dev", "ops", "no"];
    private static readonly string[] Workflows = ["nightly", "weekly"];
    private static readonly string[] Hosts = ["a.org", "b.org", "c.org"];
    private static readonly string[] Commands = ["ls", "rm", "LS"];
    private static readonly string[] Enforcers = ["allowed_hosts", "allowed_commands", "timeout_ms", "max_output_bytes"];
    private static readonly string[] Groups = ["sre", "owners", "audit"];
    private static readonly DateTimeOffset[] Times =
    [
        .. new[] { -86_400, -1, 0, 1, 86_400 }.Select(seconds => ABundle.Now.AddSeconds(seconds)),
    ];

    public static Gen<Scenario> Scenarios(int jobs) =>
        from bundle in Bundles()
        from asked in Gen.ArrayOf(Jobs(), jobs)
        from extra in Rules()
        from seed in Gen.Choose(0, int.MaxValue)
        select new Scenario(bundle, asked) { Extra = extra with { Id = "extra" }, Seed = seed };

    public static Gen<BundleModel> Bundles() =>
        from few in Gen.SubListOf(Enforcers)
        from topics in Gen.CollectToArray(TopicNames, Topics)
        from count in Gen.Choose(1, 8)
        from rules in Gen.ArrayOf(Rules(), count)
        select new BundleModel
        {
            Pools = new Dictionary<string, IReadOnlyList<string>> { ["all"] = Enforcers, ["few"] = [.. few] },
            Topics = topics,
            Rules = [.. rules.Select((rule, i) => rule with { Id = $"r{i}" })],
        };

    public static Gen<JobModel> Jobs() =>
        from topic in Gen.Frequency((24, Gen.Elements(TopicNames)), (1, Gen.Elements("test.other", "test", "Test.run", "")))
        from principal in Gen.Frequency((9, Gen.Elements(Principals)), (1, Gen.Elements("OPS", "")))
        from values in Gen.ArrayOf(
            Gen.Frequency(
                (4, Gen.Constant<string?>(null)),
                (9, Gen.Elements<string?>(LabelValues)),
                (1, Gen.Elements<string?>("Prod", "", "ops"))
            ),
            LabelNames.Length
        )
        from other in Gen.Frequency((9, Gen.Constant<string?>(null)), (1, Gen.Constant<string?>("prod")))
        from tags in Gen.SubListOf<string>([.. TagNames, "PII", "pii"])
        from workflow in Gen.Frequency((4, Gen.Elements<string?>(null, "")), (6, Gen.Elements<string?>(Workflows)))
        from attempt in Gen.Choose(1, 3)
        from payload in Gen.Elements(PayloadModel.All)
        from at in Gen.Elements(Times)
        select new JobModel
        {
            Topic = topic,
            Principal = principal,
            Labels = LabelNames
                .Zip(values)
                .Append(("ENV", other))
                .ToDictionary(string (label) => label.Item1, string? (label) => label.Item2),
            Tags = [.. tags],
            Workflow = workflow,
            Attempt = attempt,
            Payload = payload,
            At = at,
        };

    private static Gen<TopicModel> Topics(string name) =>
        from pool in Gen.Frequency((3, Gen.Constant("all")), (1, Gen.Constant("few")))
        from always in OneIn(3, Gen.SubListOf(TagNames))
        from optional in OneIn(3, Gen.SubListOf(TagNames))
        from labels in Gen.ArrayOf(OneIn(4, Labels()), LabelNames.Length)
        select new TopicModel
        {
            Name = name,
            Pool = pool,
            AlwaysTags = [.. always ?? []],
            OptionalTags = [.. optional ?? []],
            Labels = LabelNames
                .Zip(labels)
                .Where(label => label.Second is not null)
                .ToDictionary(label => label.First, label => label.Second!),
        };

    private static Gen<LabelModel> Labels() =>
        from source in Gen.Frequency(
            (5, Gen.Constant(LabelSource.Producer)),
            (2, Gen.Constant(LabelSource.Payload)),
            (1, Gen.Constant(LabelSource.Principal))
        )
        from values in OneIn(3, Some(LabelValues))
        from required in Often(1, 4)
        from isNoMatch in Often(1, 4)
        from table in Rows(values ?? LabelValues)
        from fallback in OneIn(2, Gen.Elements<string>(values ?? LabelValues))
        select new LabelModel
        {
            Source = source,
            Values = values,
            Required = required,
            AbsentIsNoMatch = isNoMatch,
            Table = source == LabelSource.Payload ? table : [],
            Default = source == LabelSource.Payload ? fallback : null,
        };

    private static Gen<RowModel[]> Rows(IReadOnlyList<string> values) =>
        from count in Gen.Choose(0, 3)
        from rows in Gen.ArrayOf(
            from fit in Gen.Elements(RowComparison.Exact, RowComparison.Prefix, RowComparison.Suffix)
            from elements in Gen.Elements<string[]>(["ls"], ["ls", "-l"], ["rm"], ["rm", "-rf"], ["-l"], ["-rf"])
            from value in Gen.Elements<string>(values)
            select new RowModel(fit, elements, value),
            count
        )
        select rows;

    private static Gen<RuleModel> Rules() =>
        from match in Matches(2)
        from decision in Gen.Frequency(
            (8, Gen.Constant(Verdict.Allow)),
            (6, Gen.Constant(Verdict.AllowWithConstraints)),
            (3, Gen.Constant(Verdict.RequireApproval)),
            (2, Gen.Constant(Verdict.Deny))
        )
        from constraints in ConstraintSets()
        from isLimited in Often(1, 2)
        from approval in OneIn(2, Approvals())
        from reason in OneIn(3, Gen.Elements("because", "so it is"))
        from window in OneIn(4, Windows())
        select new RuleModel
        {
            Id = "",
            Match = match,
            Decision = decision,
            Constraints =
                decision == Verdict.AllowWithConstraints || (decision == Verdict.RequireApproval && isLimited) ? constraints : null,
            Approval = decision == Verdict.RequireApproval ? approval : null,
            Reason = reason,
            From = window?.From,
            Until = window?.Until,
        };

    private static Gen<MatchModel> Matches(int depth) =>
        from topic in Gen.Frequency((1, Gen.Constant<string?>(null)), (4, Gen.Elements<string?>(TopicPatterns)))
        from labels in Gen.CollectToArray(LabelNames, name => OneIn(4, LabelTests(name)))
        from tags in OneIn(5, TagTests())
        from principals in OneIn(8, Some(Principals))
        from workflows in OneIn(10, Some(Workflows))
        from attempt in Gen.Frequency((9, Gen.Constant<int?>(null)), (1, Gen.Elements<int?>(1, 2, 3)))
        from unless in depth == 0 ? Gen.Constant<MatchModel?>(null) : OneIn(6, Matches(depth - 1))
        select new MatchModel
        {
            Topic = topic,
            Labels = [.. labels.OfType<LabelTest>()],
            Tags = tags,
            Principals = principals,
            Workflows = workflows,
            AttemptAtLeast = attempt,
            Unless = unless,
        };

    private static Gen<LabelTest> LabelTests(string name) =>
        from kind in Gen.Frequency(
            (6, Gen.Constant(LabelTestKind.AnyOf)),
            (2, Gen.Constant(LabelTestKind.NoneOf)),
            (1, Gen.Constant(LabelTestKind.Exists)),
            (1, Gen.Constant(LabelTestKind.IsAbsent))
        )
        from values in Some(LabelValues)
        select new LabelTest(name, kind, kind is LabelTestKind.AnyOf or LabelTestKind.NoneOf ? values : []);

    private static Gen<TagTest> TagTests() =>
        from kind in Gen.Elements(TagTestKind.All, TagTestKind.Any, TagTestKind.None)
        from tags in Some(TagNames)
        select new TagTest(kind, tags);

    private static Gen<Constraints> ConstraintSets() =>
        from hosts in OneIn(2, Some(Hosts))
        from commands in OneIn(2, Some(Commands))
        from timeout in Gen.Elements<long?>(null, 1000, 2000)
        from output in Gen.Elements<long?>(null, 0, 512)
        let isEmpty = hosts is null && commands is null && timeout is null && output is null
        select new Constraints
        {
            AllowedHosts = hosts,
            AllowedCommands = commands,
            TimeoutMs = isEmpty ? 3000 : timeout,
            MaxOutputBytes = output,
        };

    private static Gen<ApprovalModel> Approvals() =>
        from groups in Gen.SubListOf(Groups)
        from counts in Gen.ArrayOf(Gen.Choose(1, 3), Groups.Length)
        from exclude in OneIn(2, Gen.SubListOf("requester", "ops", "ci"))
        from decide in Gen.Elements<int?>(null, 30, 1440, 2880)
        from use in Gen.Elements<int?>(null, 5, 60, 90)
        from covers in Gen.Elements<ApprovalCover?>(null, ApprovalCover.Attempt, ApprovalCover.Retries)
        from change in Gen.Elements<OnPolicyChange?>(null, OnPolicyChange.SameBasis, OnPolicyChange.Invalidate)
        select new ApprovalModel
        {
            Groups = groups.Zip(counts).ToDictionary(pair => pair.First, pair => pair.Second),
            Exclude = exclude is null ? null : [.. exclude],
            DecideWithinMinutes = decide,
            UseWithinMinutes = use,
            Covers = covers,
            OnPolicyChange = change,
        };

    private static Gen<Window> Windows() =>
        from start in Gen.Choose(-1, Times.Length - 2)
        from end in Gen.Choose(start + 1, Times.Length)
        select new Window(start < 0 ? null : Times[start], end == Times.Length ? null : Times[end]);

    /// <summary>Selects at least one of the items.</summary>
    private static Gen<string[]> Some(string[] all) =>
        from first in Gen.Elements(all)
        from rest in Gen.Frequency((2, Gen.Constant(Array.Empty<string>())), (1, Gen.SubListOf(all).Select(list => list.ToArray())))
        select all.Where(item => item == first || rest.Contains(item)).ToArray();

    private static Gen<T?> OneIn<T>(int many, Gen<T> gen)
        where T : class => Gen.Frequency((many - 1, Gen.Constant<T?>(null)), (1, gen.Select(T? (value) => value)));

    private static Gen<bool> Often(int yes, int many) => Gen.Choose(1, many).Select(number => number <= yes);

    private sealed record Window(DateTimeOffset? From, DateTimeOffset? Until);
}
