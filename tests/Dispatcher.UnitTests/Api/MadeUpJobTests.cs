using Dispatcher.UnitTests.Policies;
using static Dispatcher.UnitTests.Api.ExplainEndpointTests;

namespace Dispatcher.UnitTests.Api;

/// <summary>Comparisons of bundles whose changes the recorded jobs do not show.</summary>
public sealed class MadeUpJobTests
{
    [Fact]
    public async Task Comparison_makes_up_a_job_for_a_changed_rule_that_matched_no_recorded_job()
    {
        await using var server = await ServerAsync(Denying);
        await SubmitAsync(server, """{"idempotency_key":"a","topic":"test.run","labels":{"env":"prod"}}""");

        var (_, diff) = await AskAsync(
            server,
            "/diff",
            new { old = new { hash = "active" }, @new = new { archive = Allowing.Build().Archive.ToArray() } }
        );

        Assert.Equal(
            (1, 0, 1),
            (diff.GetProperty("jobs").GetInt32(), diff.GetProperty("widened").GetInt32(), diff.GetProperty("unshown_rule_count").GetInt32())
        );
        var unmet = Assert.Single(diff.GetProperty("unshown_rules").EnumerateArray());
        Assert.Equal(("deny-dev", "removed"), (unmet.GetProperty("rule").GetString(), unmet.GetProperty("change").GetString()));
        var made = unmet.GetProperty("made_up");
        Assert.Equal(
            ("dev", "DENY to ALLOW"),
            (made.GetProperty("labels").GetProperty("env").GetString(), made.GetProperty("widened")[0].GetString())
        );
    }

    [Fact]
    public async Task Matched_rule_has_no_made_up_job_and_equal_jobs_form_one_row()
    {
        await using var server = await ServerAsync(Denying);
        foreach (var key in new[] { "a", "b", "c" })
        {
            await SubmitAsync(server, $$$"""{"idempotency_key":"{{{key}}}","topic":"test.run","labels":{"env":"dev"}}""");
        }

        var (_, diff) = await AskAsync(
            server,
            "/diff",
            new { old = new { hash = "active" }, @new = new { archive = Allowing.Build().Archive.ToArray() } }
        );

        Assert.Equal((3, 0), (diff.GetProperty("widened").GetInt32(), diff.GetProperty("unshown_rules").GetArrayLength()));
        Assert.Equal(3, Assert.Single(diff.GetProperty("changes").EnumerateArray()).GetProperty("count").GetInt32());
    }

    [Fact]
    public async Task Rule_matched_without_widening_gets_a_made_up_job_that_widens()
    {
        var before = ABundle.WithRules("id: allowed, match: {topic: test.run, labels: {env: dev}}, decision: ALLOW");
        var after = ABundle.WithRules("id: allowed, match: {topic: test.run, labels: {env: [dev, prod]}}, decision: ALLOW");
        await using var server = await ServerAsync(before);
        await SubmitAsync(server, """{"idempotency_key":"a","topic":"test.run","labels":{"env":"dev"}}""");

        var (_, diff) = await AskAsync(
            server,
            "/diff",
            new { old = new { hash = "active" }, @new = new { archive = after.Build().Archive.ToArray() } }
        );

        Assert.Equal(0, diff.GetProperty("widened").GetInt32());
        var rule = Assert.Single(diff.GetProperty("unshown_rules").EnumerateArray());
        Assert.True(rule.GetProperty("is_met").GetBoolean());
        Assert.Equal("DENY to ALLOW", rule.GetProperty("made_up").GetProperty("widened")[0].GetString());
    }
}
