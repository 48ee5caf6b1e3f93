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
    public void Approval_of_this_job_under_these_rules_is_used()
    {
        var (job, approval) = Plain.Approved("ana");

        Assert.Equal(UseVerdict.Use, ApprovalUse.Of(job, Plain.Decision(), approval, [Ana], AnApproval.Noon).Verdict);
    }

    [Fact]
    public void Job_is_held_without_an_approval()
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
    public void Approval_is_not_used_in_another_state(string state)
    {
        var (job, approval) = Plain.Approved("ana");
        approval.State = state;

        Assert.Equal(UseVerdict.Hold, ApprovalUse.Of(job, Plain.Decision(), approval, [Ana], AnApproval.Noon).Verdict);
    }

    [Fact]
    public void Approval_is_not_used_for_another_job()
    {
        var (job, approval) = Plain.Approved("ana");
        approval.JobHash = new string('f', 64);

        Holds(ApprovalUse.Of(job, Plain.Decision(), approval, [Ana], AnApproval.Noon), "another job");
    }

    [Fact]
    public void Approval_is_not_used_under_other_rules()
    {
        var (job, approval) = Plain.Approved("ana");

        Holds(
            ApprovalUse.Of(job, Plain.Decision() with { BasisHash = new string('f', 64) }, approval, [Ana], AnApproval.Noon),
            "have changed"
        );
    }

    [Fact]
    public void Approval_is_not_used_without_a_basis()
    {
        var (job, approval) = Plain.Approved("ana");
        approval.BasisHash = "";

        Holds(ApprovalUse.Of(job, Plain.Decision() with { BasisHash = "" }, approval, [Ana], AnApproval.Noon), "have changed");
    }

    [Theory]
    [InlineData(OnPolicyChange.SameBasis, true)]
    [InlineData(OnPolicyChange.Invalidate, false)]
    public void Approval_is_used_under_another_bundle_only_if_the_rule_allows_it(OnPolicyChange effect, bool used)
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
    public void Approval_is_not_used_when_the_stored_job_differs_from_the_review_snapshot()
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
            "differs from the review snapshot"
        );
    }

    [Fact]
    public void Approver_without_the_group_does_not_count()
    {
        var (job, approval) = Plain.Approved("ana");

        Holds(ApprovalUse.Of(job, Plain.Decision(), approval, [new Voter("ana", ["dev"])], AnApproval.Noon), "1 of sre");
        Holds(ApprovalUse.Of(job, Plain.Decision(), approval, [], AnApproval.Noon), "1 of sre");
    }

    [Fact]
    public void Job_expires_after_the_approval_expired()
    {
        var (job, approval) = Plain.Approved("ana");

        Assert.Equal(UseVerdict.Use, ApprovalUse.Of(job, Plain.Decision(), approval, [Ana], approval.UseBy!.Value).Verdict);
        Assert.Equal(UseVerdict.Expired, ApprovalUse.Of(job, Plain.Decision(), approval, [Ana], approval.UseBy.Value + 1).Verdict);
    }

    [Theory]
    [InlineData(ApprovalCover.Retries, ApprovalCover.Retries, true)]
    [InlineData(ApprovalCover.Retries, ApprovalCover.Attempt, false)]
    [InlineData(ApprovalCover.Attempt, ApprovalCover.Attempt, false)]
    public void Retry_needs_its_own_approval_unless_both_decisions_cover_retries(ApprovalCover then, ApprovalCover now, bool used)
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
