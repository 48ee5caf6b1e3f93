using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Recovery;

namespace Dispatcher.UnitTests.Recovery;

public sealed class SweepTests
{
    private const string Class = "idempotent: true";
    private static readonly string[] Variants = ["", " past its not_after", " to be cancelled"];

    [Fact]
    public void What_is_due_goes_where_approved() =>
        Approved.Matches(
            "Recovery/Repair",
            from state in Enum.GetValues<JobState>()
            from variant in Variants
            let move = Repair(Variant(state, variant))
            select $"{WireNames.Of(state)}{variant}: {(move is null ? "left alone" : $"{WireNames.Of(move.After.State)}, line \"{move.Entry?.Kind ?? "none"}\"{(move.Outbox.Count > 0 ? $", message to {move.Outbox[0].Exchange}{move.Outbox[0].RoutingKey}" : "")}")}"
        );

    [Fact]
    public void A_final_job_is_never_moved() =>
        Assert.All(
            Enum.GetValues<JobState>().Where(state => state.IsFinal()),
            state => Assert.Null(Repair(Variant(state, " past its not_after")))
        );

    [Fact]
    public void An_attempt_that_nobody_claimed_costs_no_retry_and_says_which_pool_slept()
    {
        var move = Repair(AJob.ToTest().Dispatched(attempt: 3))!;

        Assert.Equal((JobState.Accepted, 3), (move.After.State, move.After.Attempt));
        Assert.Contains("pool main", System.Text.Encoding.UTF8.GetString(move.Entry!.Detail), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-1, true)]
    [InlineData(0, true)]
    [InlineData(1, false)]
    public void A_job_expires_at_its_not_after(int seconds, bool expires)
    {
        var job = AJob.ToTest().With(row => row with { NotAfter = AJob.Micros(AJob.Noon.AddSeconds(seconds)) });

        Assert.Equal(
            (expires ? JobState.Expired : JobState.Accepted, expires ? null : job.Stored.NotAfter),
            (Repair(job)!.After.State, Repair(job)!.After.DueAt)
        );
    }

    [Theory]
    [InlineData(-1, JobState.Expired)]
    [InlineData(1, JobState.Approved)]
    public void A_job_expires_when_its_approval_can_no_longer_be_used(int seconds, JobState state)
    {
        var useBy = AJob.Micros(AJob.Noon.AddSeconds(seconds));

        var move = Sweep.Repair(
            AJob.ToTest().In(JobState.Approved).With(job => job with { ApprovalRound = 1 }).Stored,
            AJob.Around(Class),
            useBy
        )!;

        Assert.Equal((state, state == JobState.Expired ? null : useBy), (move.After.State, move.After.DueAt));
    }

    [Fact]
    public void A_retry_that_waits_in_line_is_not_given_up_however_long_it_waits()
    {
        var job = AJob.ToTest().In(JobState.Retrying).With(row => row with { ReadyAt = 1, OverallDeadline = 2, FailedAttempts = 1 });

        Assert.Equal((JobState.Retrying, null), (Repair(job)!.After.State, Repair(job)!.After.DueAt));
    }

    [Fact]
    public void Without_a_bundle_that_can_be_read_no_run_is_called_lost()
    {
        var job = AJob.ToTest().Running().With(row => row with { RunUntil = 1 });

        Assert.NotNull(Repair(job));
        Assert.Null(Sweep.Repair(job.Stored, AJob.Around(Class) with { Bundle = null }));
    }

    private static Move? Repair(AJob job) => Sweep.Repair(job.Stored, AJob.Around(Class));

    private static AJob Variant(JobState state, string variant)
    {
        var job = AJob.ToTest().Running().In(state);
        return variant switch
        {
            " past its not_after" => job.With(row => row with { NotAfter = AJob.Micros(AJob.Noon.AddSeconds(-1)) }),
            " to be cancelled" => job.CancelRequested(),
            _ => job,
        };
    }
}
