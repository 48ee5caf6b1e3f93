using Dispatcher.Contracts;
using Dispatcher.Jobs;

namespace Dispatcher.UnitTests.Jobs;

public sealed class ApprovalStepTests
{
    /// <summary>Every transition of a job that has an approval, and the step of the approval; "-": none.</summary>
    [Theory]
    [InlineData(JobState.Held, JobState.Held, "-")]
    [InlineData(JobState.Held, JobState.Approved, "-")]
    [InlineData(JobState.Held, JobState.Rejected, "-")]
    [InlineData(JobState.Held, JobState.Accepted, "Held Invalidated")]
    [InlineData(JobState.Held, JobState.Denied, "Held Invalidated")]
    [InlineData(JobState.Held, JobState.Cancelled, "Held Invalidated")]
    [InlineData(JobState.Held, JobState.Expired, "Held Expired")]
    [InlineData(JobState.Approved, JobState.Approved, "-")]
    [InlineData(JobState.Approved, JobState.Dispatched, "Approved Consumed")]
    [InlineData(JobState.Approved, JobState.Held, "Approved Invalidated")]
    [InlineData(JobState.Approved, JobState.Denied, "Approved Invalidated")]
    [InlineData(JobState.Approved, JobState.Cancelled, "Approved Invalidated")]
    [InlineData(JobState.Approved, JobState.Expired, "Approved Expired")]
    [InlineData(JobState.Accepted, JobState.Dispatched, "Consumed Consumed")]
    [InlineData(JobState.Retrying, JobState.Dispatched, "Consumed Consumed")]
    [InlineData(JobState.Accepted, JobState.Held, "-")]
    [InlineData(JobState.Retrying, JobState.Held, "-")]
    [InlineData(JobState.Dispatched, JobState.Approved, "Consumed Approved")]
    [InlineData(JobState.Dispatched, JobState.Running, "-")]
    [InlineData(JobState.Dispatched, JobState.Cancelled, "-")]
    [InlineData(JobState.Running, JobState.Accepted, "-")]
    [InlineData(JobState.Running, JobState.Succeeded, "-")]
    [InlineData(JobState.Running, JobState.DeadLettered, "-")]
    public void Approval_changes_state_with_the_move_of_its_job(JobState from, JobState to, string expected)
    {
        var before = Job(from, round: 2);

        var step = new Move(before, before with { State = to }).Approval;

        Assert.Equal(expected, step is null ? "-" : $"{step.From} {step.To}");
        Assert.True(step is null || step.ApprovalId == Approval.IdOf(before.JobId, 2));
    }

    [Fact]
    public void Dispatch_without_an_approval_invalidates_the_held_one()
    {
        var before = Job(JobState.Approved, round: 1);

        var step = new Move(before, before with { State = JobState.Dispatched, Verdict = Verdict.Allow }).Approval;

        Assert.Equal((ApprovalStates.Approved, ApprovalStates.Invalidated), (step!.From, step.To));
    }

    [Theory]
    [InlineData(JobState.Accepted)]
    [InlineData(JobState.Retrying)]
    [InlineData(JobState.Approved)]
    public void Dispatch_that_needs_an_approval_must_consume_one_even_if_the_job_never_had_any(JobState from)
    {
        var before = Job(from, round: 0);

        Assert.Equal(ApprovalStates.Consumed, new Move(before, before with { State = JobState.Dispatched }).Approval?.To);
    }

    [Fact]
    public void Job_without_an_approval_has_no_step()
    {
        var before = Job(JobState.Accepted, round: 0) with { Verdict = Verdict.Allow };

        Assert.Null(new Move(before, before with { State = JobState.Dispatched }).Approval);
    }

    private static Job Job(JobState state, int round) =>
        AJob.ToTest().In(state).With(job => job with { Verdict = Verdict.RequireApproval, ApprovalRound = round, Reason = "why" }).Stored;
}
