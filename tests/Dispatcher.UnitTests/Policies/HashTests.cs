using System.Text;
using System.Text.Json;
using Dispatcher.Policies;
using Dispatcher.Policies.Files;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Policies;

public class HashTests
{
    private const string A = "id: a, match: {topic: test.run}, decision: ALLOW_WITH_CONSTRAINTS, constraints: {timeout_ms: 5}";
    private const string Other = "id: other, match: {labels: {env: prod}}, decision: DENY";
    private static readonly AJob Job = AJob.ToTest().WithLabel("env", "dev");

    [Fact]
    public void Hash_is_64_lower_case_hex_digits_and_part_of_every_decision()
    {
        var bundle = ABundle.WithRules(A).Build();

        Assert.Matches(@"\A[0-9a-f]{64}\z", bundle.Hash);
        Assert.Equal(bundle.Hash, bundle.Decide(Job.Facts, ABundle.Now).PolicyHash);
        Assert.Equal(bundle.Hash, bundle.Decide(AJob.OnTopic("no.such").Facts, ABundle.Now).PolicyHash);
    }

    [Fact]
    public void Hash_depends_on_rules_topics_and_paths()
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
    public void Hash_does_not_depend_on_cases_or_file_order()
    {
        var bundle = ABundle.WithRules(A);
        var forth = ABundle.WithFiles(("topics.yaml", Topics), ("rules/a.yaml", Rules("a")), ("rules/b.yaml", Rules("b")));
        var back = ABundle.WithFiles(("rules/b.yaml", Rules("b")), ("rules/a.yaml", Rules("a")), ("topics.yaml", Topics));

        Assert.Equal(bundle.Build().Hash, bundle.AndFile("cases/a.yaml", "anything").Build().Hash);
        Assert.Equal(forth.Build().Hash, back.Build().Hash);
        Assert.Equal(forth.Build().Archive.ToArray(), back.Build().Archive.ToArray());
    }

    [Fact]
    public void Archive_loads_as_the_same_bundle()
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
    public void Damaged_archive_is_an_error_instead_of_an_exception(string archive)
    {
        var load = Bundle.FromArchive(Encoding.UTF8.GetBytes(archive));

        Assert.Null(load.Bundle);
        Assert.Equal([BundleErrorCodes.BadArchive], load.Errors.Select(error => error.Code));
    }

    [Fact]
    public void Basis_ignores_unrelated_rules_and_topics_and_formatting()
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
    public void Basis_changes_with_a_matching_rule_and_with_the_registry_entry(string rule, string topic) =>
        Assert.NotEqual(Basis(ABundle.WithRules(A).AndTopic("risk: high")), Basis(ABundle.WithRules(rule).AndTopic(topic)));

    [Fact]
    public void Basis_changes_when_another_rule_matches() =>
        Assert.NotEqual(Basis(ABundle.WithRules(A)), Basis(ABundle.WithRules(A, "id: b, match: {topic: test.run}, decision: ALLOW")));

    [Fact]
    public void Basis_changes_with_each_part_of_the_merged_approval()
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

    /// <summary>The content of a matching rule is part of the basis, even if the merged approval stays the same.</summary>
    [Theory]
    [InlineData("covers: retries")]
    [InlineData("on_policy_change: same_basis")]
    [InlineData("on_policy_change: invalidate")]
    public void Basis_changes_with_an_approval_block_that_a_tighter_one_overrides(string approval)
    {
        const string Tight =
            "id: tight, match: {topic: test.run}, decision: REQUIRE_APPROVAL, approval: {covers: attempt, on_policy_change: invalidate}";
        var before = ABundle.WithRules(Tight, "id: a, match: {topic: test.run}, decision: REQUIRE_APPROVAL, approval: {}");
        var after = ABundle.WithRules(Tight, $"id: a, match: {{topic: test.run}}, decision: REQUIRE_APPROVAL, approval: {{{approval}}}");

        Assert.Equal(JsonSerializer.Serialize(before.Decide(Job).Approval), JsonSerializer.Serialize(after.Decide(Job).Approval));
        Assert.NotEqual(Basis(before), Basis(after));
    }

    /// <summary>
    /// The hash is stored with every decision and compared years later. A change of the hashed content needs a new version in its first
    /// part.
    /// </summary>
    [Fact]
    public void Basis_hash_of_a_known_decision_is_stable() =>
        Assert.Equal("69216250026a878cbd16019dc4f7bbd8dbb760a8420a753fa78da7c632ee0179", Basis(ABundle.WithRules(A)));

    private const string Topics = "version: v1\npools: {main: {}}\ntopics: {test.run: {pool: main, owner: team}}";

    private static string Rules(string id) => $"version: v1\nrules: [{{id: {id}, match: {{topic: test.run}}, decision: ALLOW}}]";

    private static string Basis(ABundle bundle) => bundle.Decide(Job).BasisHash;
}
