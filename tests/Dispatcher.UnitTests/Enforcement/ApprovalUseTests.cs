using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Policies.Model;
using Dispatcher.UnitTests.Approvals;

namespace Dispatcher.UnitTests.Enforcement;

public sealed class ApprovalUseTests
{
    private static readonly AnApproval Plain = AnApproval.Of(("sre", 1));
    private static readonly Voter Ana = new("ana", ["sre"]);

    [Fact]
    public void An_approval_of_this_job_under_these_rules_is_used()
    {
        var (job, approval) = Plain.Approved("ana");

        Assert.Equal(UseVerdict.Use, ApprovalUse.Of(job, Plain.Decision(), approval, [Ana], AnApproval.Noon).Verdict);
    }

    [Fact]
    public void Without_an_approval_the_job_is_held()
    {
        var (job, _) = Plain.Approved("ana");

        Assert.Equal(UseVerdict.Hold, ApprovalUse.Of(job, Plain.Decision(), null, [Ana], AnApproval.Noon).Verdict);
    }

    [Theory]
    [InlineData("Held")]
    [InlineData("Consumed")]
    [InlineData("Rejected")]
    [InlineData("Expired")]
    [InlineData("Invalidated")]
    public void In_any_other_state_it_is_not_used(string state)
    {
        var (job, approval) = Plain.Approved("ana");
        approval.State = state;

        Assert.Equal(UseVerdict.Hold, ApprovalUse.Of(job, Plain.Decision(), approval, [Ana], AnApproval.Noon).Verdict);
    }

    [Fact]
    public void It_is_not_used_for_another_job()
    {
        var (job, approval) = Plain.Approved("ana");
        approval.JobHash = new string('f', 64);

        Holds(ApprovalUse.Of(job, Plain.Decision(), approval, [Ana], AnApproval.Noon), "another job");
    }

    [Fact]
    public void It_is_not_used_under_other_rules()
    {
        var (job, approval) = Plain.Approved("ana");

        Holds(
            ApprovalUse.Of(job, Plain.Decision() with { BasisHash = new string('f', 64) }, approval, [Ana], AnApproval.Noon),
            "have changed"
        );
    }

    [Fact]
    public void A_decision_without_a_basis_uses_nothing()
    {
        var (job, approval) = Plain.Approved("ana");
        approval.BasisHash = "";

        Holds(ApprovalUse.Of(job, Plain.Decision() with { BasisHash = "" }, approval, [Ana], AnApproval.Noon), "have changed");
    }

    [Theory]
    [InlineData(OnPolicyChange.SameBasis, true)]
    [InlineData(OnPolicyChange.Invalidate, false)]
    public void It_outlives_another_bundle_with_the_same_basis_unless_the_rule_says_no(OnPolicyChange effect, bool used)
    {
        var plain = Plain.With(requirement => requirement with { OnPolicyChange = effect });
        var (job, approval) = plain.Approved("ana");

        Assert.Equal(
            used ? UseVerdict.Use : UseVerdict.Hold,
            ApprovalUse.Of(job, plain.Decision() with { PolicyHash = new string('f', 64) }, approval, [Ana], AnApproval.Noon).Verdict
        );
        Assert.Equal(UseVerdict.Use, ApprovalUse.Of(job, plain.Decision(), approval, [Ana], AnApproval.Noon).Verdict);
    }

    [Fact]
    public void It_is_not_used_when_the_stored_job_is_not_what_was_shown()
    {
        var (job, approval) = Plain.Approved("ana");

        Holds(
            ApprovalUse.Of(
                job with
                {
                    Constraints = new Constraints { TimeoutMs = 1 },
                },
                Plain.Decision(),
                approval,
                [Ana],
                AnApproval.Noon
            ),
            "not what was shown"
        );
    }

    [Fact]
    public void An_approver_who_has_lost_the_group_no_longer_counts()
    {
        var (job, approval) = Plain.Approved("ana");

        Holds(ApprovalUse.Of(job, Plain.Decision(), approval, [new Voter("ana", ["dev"])], AnApproval.Noon), "1 of sre");
        Holds(ApprovalUse.Of(job, Plain.Decision(), approval, [], AnApproval.Noon), "1 of sre");
    }

    [Fact]
    public void After_its_time_the_job_expires()
    {
        var (job, approval) = Plain.Approved("ana");

        Assert.Equal(UseVerdict.Use, ApprovalUse.Of(job, Plain.Decision(), approval, [Ana], approval.UseBy!.Value).Verdict);
        Assert.Equal(UseVerdict.Expired, ApprovalUse.Of(job, Plain.Decision(), approval, [Ana], approval.UseBy.Value + 1).Verdict);
    }

    [Theory]
    [InlineData(ApprovalCover.Retries, ApprovalCover.Retries, true)]
    [InlineData(ApprovalCover.Retries, ApprovalCover.Attempt, false)]
    [InlineData(ApprovalCover.Attempt, ApprovalCover.Attempt, false)]
    public void A_retry_needs_its_own_unless_the_rules_then_and_now_cover_it(ApprovalCover then, ApprovalCover now, bool used)
    {
        var plain = Plain.With(requirement => requirement with { Covers = then });
        var (job, approval) = plain.Approved("ana");
        approval.State = ApprovalStates.Consumed;
        var decision = plain.Decision() with { Approval = plain.Requirement with { Covers = now } };

        Assert.Equal(
            used ? UseVerdict.Use : UseVerdict.Hold,
            ApprovalUse.Of(job with { State = JobState.Retrying, Attempt = 1 }, decision, approval, [Ana], AnApproval.Noon).Verdict
        );
        Assert.Equal(
            UseVerdict.Hold,
            ApprovalUse.Of(job with { State = JobState.Retrying }, decision, approval, [Ana], approval.UseBy!.Value + 1).Verdict
        );
    }

    private static void Holds(UseResult use, string why)
    {
        Assert.Equal(UseVerdict.Hold, use.Verdict);
        Assert.Contains(why, use.Why, StringComparison.Ordinal);
    }
}
