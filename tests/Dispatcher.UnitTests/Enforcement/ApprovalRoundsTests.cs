using Dispatcher.Approvals;
using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.UnitTests.Approvals;

namespace Dispatcher.UnitTests.Enforcement;

public sealed class ApprovalRoundsTests
{
    [Fact]
    public void Round_names_the_job_the_rules_and_the_review_snapshot()
    {
        var (job, approval) = AnApproval.OfAnyone().Held();

        Assert.Equal((JobState.Held, 1, approval.DecideBy), (job.State, job.ApprovalRound, job.DueAt));
        Assert.Equal(
            (job.JobHash, job.PolicyHash, job.BasisHash, ApprovalStates.Held),
            (approval.JobHash, approval.PolicyHash, approval.BasisHash, approval.State)
        );
        Assert.Equal(ReviewSnapshot.Of(job, approval).Hash(), approval.ViewHash);
        Assert.Equal(AnApproval.Noon + 86_400_000_000, approval.DecideBy);
        Assert.Equal($"{job.JobId}-1", approval.Name);
    }

    [Fact]
    public void Approval_must_be_decided_before_the_job_expires()
    {
        var plain = AnApproval.OfAnyone();
        var (held, _) = plain.Held();

        var (job, approval) = ApprovalRounds.Hold(held with { NotAfter = AnApproval.Noon + 5 }, plain.Decision(), AnApproval.Noon);

        Assert.Equal((AnApproval.Noon + 5, 2), (approval.DecideBy, approval.Round));
        Assert.Equal(2, job.ApprovalRound);
    }

    [Theory]
    [InlineData("0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10-1", 1)]
    [InlineData("0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10-12", 12)]
    [InlineData("0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10", null)]
    public void Name_of_an_approval_is_read(string text, int? round)
    {
        var name = ApprovalName.Read(text)!;

        Assert.Equal((Guid.Parse("0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10"), round), (name.JobId, name.Round));
    }

    [Theory]
    [InlineData("")]
    [InlineData("x")]
    [InlineData("0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10-")]
    [InlineData("0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10--1")]
    [InlineData("0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10-1x")]
    [InlineData("0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10/1")]
    [InlineData("0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10-99999999999")]
    public void Malformed_name_is_refused(string text) => Assert.Null(ApprovalName.Read(text));
}
