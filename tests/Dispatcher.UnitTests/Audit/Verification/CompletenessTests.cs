using System.Text;
using Dispatcher.Audit.Verification;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Jobs;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Audit.Verification;

/// <summary>Finds entries that were never written. The seals of such a history are intact.</summary>
public sealed class CompletenessTests
{
    private const string Intake = """{"answer":{"verdict":"ALLOW","policy_hash":"p"}}""";
    private const string Allowed = """{"verdict":"ALLOW","policy_hash":"p"}""";
    private const string Failed = """{"state":"retrying"}""";
    private const string Done = """{"state":"succeeded"}""";

    private const string WithPermit = """{"verdict":"ALLOW","policy_hash":"p","permit_id":"a"}""";

    /// <summary>
    /// Entries of one job as "kind attempt detail", and the expected gaps. A dispatch with "!x" is high-risk with approval x, with "!"
    /// without one.
    /// </summary>
    public static TheoryData<string[], string> Jobs() =>
        new()
        {
            { ["accepted 0", "dispatched 1", "claimed 1", "succeeded 1"], "" },
            { ["accepted 0", "dispatched 1", "claimed 1"], "" },
            { ["accepted 0", "dispatched 1", "claimed 1", "faulted 1", "dispatched 2", "claimed 2", "succeeded 2"], "" },
            { ["accepted 0", "dispatched 1", "cancelled 1"], "" },
            { ["denied 0"], "" },
            { ["held 0", "voted 0", "approved 0 x", "dispatched 1 !x", "claimed 1", "succeeded 1"], "" },
            { ["held 0", "approved 0 x", "dispatched 1 !x", "unclaimed 1 x", "dispatched 2 !x", "claimed 2", "succeeded 2"], "" },
            { ["dispatched 1", "claimed 1", "succeeded 1"], "dispatch_without_intake" },
            { ["accepted 0 {}", "dispatched 1", "claimed 1", "succeeded 1"], "dispatch_without_intake" },
            { ["accepted 0", "dispatched 1 {}", "claimed 1", "succeeded 1"], "dispatch_without_decision" },
            { ["held 0", "dispatched 1 !", "claimed 1", "succeeded 1"], "high_risk_unapproved" },
            { ["held 0", "dispatched 1 !x", "claimed 1", "succeeded 1"], "high_risk_unapproved" },
            { ["held 0", "approved 0 y", "dispatched 1 !x", "claimed 1", "succeeded 1"], "high_risk_unapproved" },
            { ["held 0", "dispatched 1 !x", "approved 1 x", "claimed 1", "succeeded 1"], "high_risk_unapproved" },
            {
                ["held 0", "approved 0 x", "dispatched 1 !x", "claimed 1", "faulted 1", "dispatched 2 !x", "claimed 2", "succeeded 2"],
                "high_risk_unapproved"
            },
            {
                ["held 0", "approved 0 x", "dispatched 1 !x", "returned 1 x", "dispatched 2 !x", "claimed 2", "succeeded 2"],
                "high_risk_unapproved"
            },
            { ["accepted 0", "dispatched 1", "claimed 1", "dispatched 2", "claimed 2", "succeeded 2"], "attempt_without_end" },
            { ["accepted 0", "dispatched 1", "claimed 1", "expired 1"], "attempt_without_end" },
            { ["accepted 0", "dispatched 1 " + WithPermit, "claimed 1 {\"permit_id\":\"a\"}", "succeeded 1"], "" },
            { ["accepted 0", "dispatched 1 " + WithPermit, "claimed 1 {\"permit_id\":\"b\"}", "succeeded 1"], "claim_by_another_permit" },
            { ["accepted 0", "dispatched 1 " + WithPermit, "claimed 1 {}", "succeeded 1"], "claim_by_another_permit" },
            { ["accepted 0 #h p", "dispatched 1 #h p", "claimed 1", "succeeded 1"], "" },
            { ["accepted 0 #h p", "dispatched 1 #i p", "claimed 1", "succeeded 1"], "job_hash_differs" },
            { ["accepted 0 #h q", "dispatched 1 #h p", "claimed 1", "succeeded 1"], "policy_not_in_force" },
            { ["held 0 #h q"], "policy_not_in_force" },
            { ["accepted 0 #h p", "dispatched 1 #h q", "claimed 1", "succeeded 1"], "policy_not_in_force" },
            { ["held 0 #h p", "approved 0 x #h b", "dispatched 1 !x #h b", "claimed 1", "succeeded 1"], "" },
            { ["held 0 #h p", "approved 0 x #h b", "dispatched 1 !x #h c", "claimed 1", "succeeded 1"], "high_risk_unapproved" },
            {
                ["held 0 #h p", "approved 0 x #i b", "dispatched 1 !x #h b", "claimed 1", "succeeded 1"],
                "job_hash_differs, high_risk_unapproved"
            },
            {
                ["held 0 #h p", "approved 0 x #i b", "dispatched 1 !x #i b", "claimed 1", "succeeded 1"],
                "job_hash_differs, job_hash_differs, high_risk_unapproved"
            },
        };

    [Theory]
    [MemberData(nameof(Jobs))]
    public void Gap_of_a_job_is_named(string[] lines, string gaps)
    {
        var completeness = Started();
        foreach (var (i, line) in lines.Index())
        {
            completeness.Add(i + 1, i == 0, Entry(line));
        }

        Assert.Equal(
            gaps,
            string.Join(", ", completeness.List.Select(gap => System.Text.Json.JsonSerializer.Serialize(gap.Kind).Trim('"')))
        );
        Assert.Equal(completeness.List.Count, completeness.Incomplete);
    }

    /// <summary>Only jobs that have not ended are kept in memory. An entry after the end needs no intake again.</summary>
    [Fact]
    public void Ended_job_is_dropped_from_memory_and_may_continue()
    {
        var completeness = Started();
        string[] lines = ["accepted 0", "dispatched 1", "claimed 1", "succeeded 1", "late_outcome 1", "voted 1"];
        foreach (var (i, line) in lines.Index())
        {
            completeness.Add(i + 1, i == 0, Entry(line));
        }

        Assert.Equal(0, completeness.Open);
        completeness.Add(7, false, Entry("accepted 1 {}"));
        completeness.Add(8, false, Entry("dispatched 2"));
        Assert.Equal((1, 0L), (completeness.Open, completeness.Incomplete));
    }

    [Fact]
    public void Unreadable_detail_has_no_decision()
    {
        foreach (var detail in new[] { "", "[]", "null", "{\"verdict\":7}", "\0" })
        {
            Assert.False(EntryDetail.Of(Entry("dispatched 1 " + detail)).HasDecision);
        }
    }

    /// <summary>The index of the database finds high-risk dispatches by these bytes.</summary>
    [Fact]
    public void Entry_of_a_high_risk_dispatch_has_the_bytes_that_the_index_selects()
    {
        var decision = new Decision
        {
            Verdict = Verdict.RequireApproval,
            Rules = [],
            MatchedRules = [],
            Reason = "r",
            PolicyHash = "p",
            BasisHash = "b",
        };

        var job = AJob.ToTest().Stored;

        var line = DispatchEntries.Evaluated(TimelineKinds.Dispatched, job, new AnEvaluated<Job>(job, decision, AJob.Noon));

        Assert.Contains("\"verdict\":\"REQUIRE_APPROVAL\"", Encoding.UTF8.GetString(line.Detail), StringComparison.Ordinal);
        Assert.True(EntryDetail.Of(line) is { IsHighRisk: true, HasDecision: true });
    }

    /// <summary>A check that has read the activations of bundle q and then p: only the last one counts.</summary>
    private static CompletenessCheck Started()
    {
        var completeness = new CompletenessCheck();
        foreach (var bundle in new[] { "q", "p" })
        {
            completeness.Add(
                0,
                false,
                new TimelineEntry
                {
                    JobId = Guid.Empty,
                    Kind = TimelineKinds.BundleActivated,
                    Actor = "ops",
                    Detail = Encoding.UTF8.GetBytes($$"""{"policy_hash":"{{bundle}}"}"""),
                }
            );
        }

        return completeness;
    }

    /// <summary>"#hash policy" is a decision on that job; "x #hash basis" its approval; "!x #hash basis" its high-risk dispatch.</summary>
    private static string? Named(string kind, string? more) =>
        more?.Split(' ') switch
        {
            [['#', .. var job], var policy] when kind == "dispatched" =>
                $$"""{"verdict":"ALLOW","policy_hash":"{{policy}}","job_hash":"{{job}}"}""",
            [['#', .. var job], var policy] => $$"""{"answer":{"verdict":"ALLOW","policy_hash":"{{policy}}","job_hash":"{{job}}" } }""",
            [['!', .. var id], ['#', .. var job], var basis] =>
                $"{{\"verdict\":\"REQUIRE_APPROVAL\",\"policy_hash\":\"p\",\"approval_id\":\"{id}\","
                    + $"\"job_hash\":\"{job}\",\"basis_hash\":\"{basis}\"}}",
            [var id, ['#', .. var job], var basis] => $$"""{"approval_id":"{{id}}","job_hash":"{{job}}","basis_hash":"{{basis}}"}""",
            _ => more,
        };

    private static TimelineEntry Entry(string line)
    {
        var parts = line.Split(' ', 3);
        var (kind, more) = (parts[0], Named(parts[0], parts.ElementAtOrDefault(2)));
        var detail = more switch
        {
            ['!', .. var id] =>
                $$"""{"verdict":"REQUIRE_APPROVAL","policy_hash":"p"{{(id.Length > 0 ? $",\"approval_id\":\"{id}\"" : "")}}}""",
            "x" or "y" => $$"""{"approval_id":"{{more}}"}""",
            not null => more,
            null => kind switch
            {
                "accepted" or "held" or "denied" => Intake,
                "dispatched" => Allowed,
                "faulted" => Failed,
                "succeeded" => Done,
                _ => "{}",
            },
        };
        return new TimelineEntry
        {
            JobId = Guid.Parse("0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10"),
            Kind = kind,
            Attempt = int.Parse(parts[1], null),
            Actor = "ada",
            Detail = Encoding.UTF8.GetBytes(detail),
        };
    }
}
