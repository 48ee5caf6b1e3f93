using System.Text.Json.Serialization;
using Dispatcher.Contracts;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Policies.Evaluating;

public class ConstraintTests
{
    [Fact]
    public void Numbers_merge_to_the_minimum_and_sets_to_the_intersection()
    {
        var decision = ABundle
            .WithRules(
                Constrain("a", "timeout_ms: 10, max_output_bytes: 5, allowed_hosts: [c.org, a.org, b.org]"),
                Constrain("b", "timeout_ms: 20, allowed_hosts: [b.org, d.org, c.org], allowed_commands: [ls]")
            )
            .Decide(AJob.ToTest());

        Assert.Equal(10, decision.Constraints!.TimeoutMs);
        Assert.Equal(5, decision.Constraints.MaxOutputBytes);
        Assert.Equal(["b.org", "c.org"], decision.Constraints.AllowedHosts);
        Assert.Equal(["ls"], decision.Constraints.AllowedCommands);
    }

    [Theory]
    [InlineData("allowed_hosts: [a.org]", "allowed_hosts: [b.org]")]
    [InlineData("allowed_commands: [ls]", "allowed_commands: [LS]")]
    public void Denies_a_job_when_merged_sets_have_nothing_in_common(string first, string second)
    {
        var decision = ABundle
            .WithRules(Constrain("a", first), Constrain("b", second), Constrain("c", "timeout_ms: 5"))
            .Decide(AJob.ToTest());

        Assert.Equal(Verdict.Deny, decision.Verdict);
        Assert.Equal(ReasonCodes.ConstraintUnsatisfiable, decision.Reason);
        Assert.Equal(["a", "b", "c"], decision.Rules);
        Assert.Null(decision.Constraints);
    }

    [Theory]
    [InlineData("[service.internal:8443]", "[service.internal:8443, api.github.com]", "service.internal:8443")]
    [InlineData("[service.internal:8443]", "[service.internal]", "")]
    [InlineData("[service.internal:443]", "[service.internal]", "service.internal:443")]
    [InlineData("[service.internal]", "[service.internal:80, service.internal:8080]", "service.internal:80")]
    [InlineData("[a.org, b.org]", "[b.org, a.org:443]", "a.org:443 b.org")]
    [InlineData("['[::1]:8080', '[::1]']", "['[::1]:8080', '[::1]:443']", "[::1]:443 [::1]:8080")]
    public void Hosts_with_ports_intersect_to_the_hosts_that_both_rules_allow(string first, string second, string both)
    {
        foreach (var (one, other) in new[] { (first, second), (second, first) })
        {
            var decision = ABundle
                .WithRules(Constrain("a", "allowed_hosts: " + one), Constrain("b", "allowed_hosts: " + other))
                .Decide(AJob.ToTest());

            Assert.Equal(both, string.Join(' ', decision.Constraints?.AllowedHosts ?? []));
            Assert.Equal(both.Length == 0, decision.Reason == ReasonCodes.ConstraintUnsatisfiable);
        }
    }

    [Theory]
    [InlineData("api.github.com", true)]
    [InlineData("api.github.com:443", true)]
    [InlineData("service.internal:8443", true)]
    [InlineData("127.0.0.1:65535", true)]
    [InlineData("my_service:8080", true)]
    [InlineData("_service.internal_zone", true)]
    [InlineData("[::1]", true)]
    [InlineData("[2001:db8::1]:8080", true)]
    [InlineData("[::ffff:10.0.0.1]", true)]
    [InlineData("api.github.com:", false)]
    [InlineData("api.github.com:0", false)]
    [InlineData("api.github.com:08", false)]
    [InlineData("api.github.com:65536", false)]
    [InlineData("api.github.com:443/x", false)]
    [InlineData("https://api.github.com", false)]
    [InlineData("*.github.com", false)]
    [InlineData("API.github.com", false)]
    [InlineData("::1", false)]
    [InlineData("[0:0:0:0:0:0:0:1]", false)]
    [InlineData("[::1%eth0]", false)]
    [InlineData("[api.github.com]", false)]
    public void A_host_may_have_a_port(string host, bool allowed)
    {
        var bundle = ABundle.WithRules(Constrain("a", $"allowed_hosts: ['{host}']"));

        Assert.Equal(allowed, bundle.Load().Errors.Count == 0);
    }

    [Theory]
    [InlineData("ALLOW_WITH_CONSTRAINTS")]
    [InlineData("REQUIRE_APPROVAL")]
    public void Denies_a_job_when_the_pool_does_not_enforce_a_constraint(string verdict)
    {
        const string Topics = "version: v1\npools: {main: {enforcers: [timeout_ms]}}\ntopics: {test.run: {pool: main, owner: team}}";

        var decision = ABundle
            .WithRules($"id: a, match: {{topic: test.run}}, decision: {verdict}, constraints: {{timeout_ms: 5, max_output_bytes: 5}}")
            .AndFile("topics.yaml", Topics)
            .Decide(AJob.ToTest());

        Assert.Equal(Verdict.Deny, decision.Verdict);
        Assert.Equal(ReasonCodes.NotEnforceable, decision.Reason);
        Assert.Equal("pool main does not enforce max_output_bytes", decision.Detail);
    }

    [Fact]
    public void Every_wire_constraint_can_be_written_and_needs_an_enforcer()
    {
        Dictionary<string, string> values = new()
        {
            ["timeout_ms"] = "5",
            ["max_output_bytes"] = "5",
            ["allowed_hosts"] = "[a.org]",
            ["allowed_commands"] = "[ls]",
        };
        var names = typeof(Constraints)
            .GetProperties()
            .Select(property =>
                property
                    .GetCustomAttributes(typeof(JsonPropertyNameAttribute), false)
                    .Cast<JsonPropertyNameAttribute>()
                    .SingleOrDefault()
                    ?.Name
            )
            .OfType<string>();

        foreach (var name in names)
        {
            var bundle = ABundle.WithRules(Constrain("a", $"{name}: {values[name]}"));

            Assert.Equal(Verdict.AllowWithConstraints, bundle.Decide(AJob.ToTest()).Verdict);
            var without = "version: v1\npools: {main: {}}\ntopics: {test.run: {pool: main, owner: team}}";
            Assert.Equal(ReasonCodes.NotEnforceable, bundle.AndFile("topics.yaml", without).Decide(AJob.ToTest()).Reason);
        }
    }

    private static string Constrain(string id, string constraints) =>
        $"id: {id}, match: {{topic: test.run}}, decision: ALLOW_WITH_CONSTRAINTS, constraints: {{{constraints}}}";
}
