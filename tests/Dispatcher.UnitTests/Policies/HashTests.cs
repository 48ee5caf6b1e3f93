using System.Text;
using System.Text.Json;
using Dispatcher.Policies;

namespace Dispatcher.UnitTests.Policies;

public class HashTests
{
    private const string A = "id: a, match: {topic: test.run}, decision: ALLOW_WITH_CONSTRAINTS, constraints: {timeout_ms: 5}";
    private const string Other = "id: other, match: {labels: {env: prod}}, decision: DENY";
    private static readonly AJob Job = AJob.ToTest().WithLabel("env", "dev");

    [Fact]
    public void The_hash_is_64_lower_case_hex_digits_and_part_of_every_decision()
    {
        var bundle = ABundle.WithRules(A).Build();

        Assert.Matches(@"\A[0-9a-f]{64}\z", bundle.Hash);
        Assert.Equal(bundle.Hash, bundle.Decide(Job.Facts, ABundle.Now).PolicyHash);
        Assert.Equal(bundle.Hash, bundle.Decide(AJob.OnTopic("no.such").Facts, ABundle.Now).PolicyHash);
    }

    [Fact]
    public void The_hash_depends_on_rules_and_topics_and_their_paths()
    {
        var bundle = ABundle.WithRules(A);
        ABundle[] changed =
        [
            bundle.AndRules("rules/test.yaml", A, Other),
            bundle.AndRules("rules/more.yaml", Other),
            bundle.AndRules("rules/more2.yaml", Other),
            bundle.AndTopic("risk: low"),
        ];

        Assert.Equal(changed.Length + 1, changed.Append(bundle).Select(one => one.Build().Hash).Distinct().Count());
    }

    [Fact]
    public void The_hash_does_not_depend_on_cases_or_on_the_order_in_which_files_are_given()
    {
        var bundle = ABundle.WithRules(A);
        var forth = ABundle.WithFiles(("topics.yaml", Topics), ("rules/a.yaml", Rules("a")), ("rules/b.yaml", Rules("b")));
        var back = ABundle.WithFiles(("rules/b.yaml", Rules("b")), ("rules/a.yaml", Rules("a")), ("topics.yaml", Topics));

        Assert.Equal(bundle.Build().Hash, bundle.AndFile("cases/a.yaml", "anything").Build().Hash);
        Assert.Equal(forth.Build().Hash, back.Build().Hash);
        Assert.Equal(forth.Build().Archive.ToArray(), back.Build().Archive.ToArray());
    }

    [Fact]
    public void The_archive_loads_as_the_very_same_bundle()
    {
        var bundle = ABundle.WithRules(A, Other).AndFile("cases/a.yaml", "x").Build();

        var copy = Bundle.FromArchive(bundle.Archive).Bundle!;

        Assert.Equal(bundle.Hash, copy.Hash);
        Assert.Equal(bundle.Archive.ToArray(), copy.Archive.ToArray());
        Assert.Equal(bundle.Decide(Job.Facts, ABundle.Now).BasisHash, copy.Decide(Job.Facts, ABundle.Now).BasisHash);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("""{"v":2,"files":[]}""")]
    [InlineData("""{"v":1,"files":[null]}""")]
    [InlineData("""{"v":1,"files":null}""")]
    [InlineData("""{"v":1,"files":[{"path":null,"content":""}]}""")]
    [InlineData("""{"v":1,"files":[{"path":"topics.yaml","content":"*"}]}""")]
    public void A_damaged_archive_is_an_error_and_no_exception(string archive)
    {
        var load = Bundle.FromArchive(Encoding.UTF8.GetBytes(archive));

        Assert.Null(load.Bundle);
        Assert.Equal([BundleErrorCodes.BadArchive], load.Errors.Select(error => error.Code));
    }

    [Fact]
    public void The_basis_stays_when_an_unrelated_rule_or_topic_or_only_the_writing_changes()
    {
        var basis = Basis(ABundle.WithRules(A));

        Assert.Equal(basis, Basis(ABundle.WithRules(A, Other)));
        Assert.Equal(basis, Basis(ABundle.WithRules(Other).AndRules("rules/moved.yaml", A)));
        Assert.Equal(
            basis,
            Basis(ABundle.WithRules("match: {topic: \"test.run\"}, decision: ALLOW_WITH_CONSTRAINTS, constraints: {timeout_ms: 5}, id: a"))
        );
        Assert.Matches(@"\A[0-9a-f]{64}\z", basis);
    }

    [Theory]
    [InlineData("id: a, match: {topic: test.run}, decision: ALLOW_WITH_CONSTRAINTS, constraints: {timeout_ms: 6}", "risk: high")]
    [InlineData("id: a, match: {topic: 'test.*'}, decision: ALLOW_WITH_CONSTRAINTS, constraints: {timeout_ms: 5}", "risk: high")]
    [InlineData("id: a, match: {topic: test.run}, decision: REQUIRE_APPROVAL, constraints: {timeout_ms: 5}", "risk: high")]
    [InlineData(
        "id: a, match: {topic: test.run}, decision: REQUIRE_APPROVAL, constraints: {timeout_ms: 5}, approval: {use_within: 5m}",
        "risk: high"
    )]
    [InlineData("id: a, match: {topic: test.run}, decision: ALLOW_WITH_CONSTRAINTS, constraints: {timeout_ms: 5}, reason: x", "risk: high")]
    [InlineData(A, "risk: low")]
    [InlineData(A, "max_attempts: 4")]
    [InlineData(A, "labels: {env: {values: [dev]}}")]
    public void The_basis_changes_with_a_matching_rule_and_with_the_registry_entry(string rule, string topic) =>
        Assert.NotEqual(Basis(ABundle.WithRules(A).AndTopic("risk: high")), Basis(ABundle.WithRules(rule).AndTopic(topic)));

    [Fact]
    public void The_basis_changes_when_another_rule_matches_too() =>
        Assert.NotEqual(Basis(ABundle.WithRules(A)), Basis(ABundle.WithRules(A, "id: b, match: {topic: test.run}, decision: ALLOW")));

    [Fact]
    public void The_basis_changes_with_each_part_of_the_merged_approval()
    {
        var usual = ApprovalRequirement.Default;
        ApprovalRequirement?[] approvals =
        [
            null,
            usual,
            usual with
            {
                Groups = [new ApprovalGroup("sre", 1)],
            },
            usual with
            {
                Groups = [new ApprovalGroup("sre", 2)],
            },
            usual with
            {
                Exclude = ["ci", "requester"],
            },
            usual with
            {
                DecideWithin = TimeSpan.FromHours(2),
            },
            usual with
            {
                UseWithin = TimeSpan.FromHours(2),
            },
            usual with
            {
                Covers = ApprovalCover.Retries,
            },
            usual with
            {
                OnPolicyChange = OnPolicyChange.Invalidate,
            },
        ];

        Assert.Equal(
            approvals.Length,
            approvals.Select(approval => Dispatcher.Policies.Evaluating.Basis.Hash(null, [], null, approval)).Distinct().Count()
        );
    }

    /// <summary>The content of a rule that matches is part of the basis, also where the merged approval stays the same.</summary>
    [Theory]
    [InlineData("covers: retries")]
    [InlineData("on_policy_change: same_basis")]
    [InlineData("on_policy_change: invalidate")]
    public void The_basis_changes_with_what_a_rule_says_of_approval_although_another_says_it_tighter(string approval)
    {
        const string Tight =
            "id: tight, match: {topic: test.run}, decision: REQUIRE_APPROVAL, approval: {covers: attempt, on_policy_change: invalidate}";
        var before = ABundle.WithRules(Tight, "id: a, match: {topic: test.run}, decision: REQUIRE_APPROVAL, approval: {}");
        var after = ABundle.WithRules(Tight, $"id: a, match: {{topic: test.run}}, decision: REQUIRE_APPROVAL, approval: {{{approval}}}");

        Assert.Equal(JsonSerializer.Serialize(before.Decide(Job).Approval), JsonSerializer.Serialize(after.Decide(Job).Approval));
        Assert.NotEqual(Basis(before), Basis(after));
    }

    /// <summary>Stored with every decision and compared years later: a change of what is hashed, or how, needs a new version in its first part.</summary>
    [Fact]
    public void The_basis_of_a_known_decision_has_the_hash_that_it_always_had() =>
        Assert.Equal("69216250026a878cbd16019dc4f7bbd8dbb760a8420a753fa78da7c632ee0179", Basis(ABundle.WithRules(A)));

    private const string Topics = "version: v1\npools: {main: {}}\ntopics: {test.run: {pool: main, owner: team}}";

    private static string Rules(string id) => $"version: v1\nrules: [{{id: {id}, match: {{topic: test.run}}, decision: ALLOW}}]";

    private static string Basis(ABundle bundle) => bundle.Decide(Job).BasisHash;
}
