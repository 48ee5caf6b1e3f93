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
    public void Due_job_is_repaired_as_approved() =>
        Approved.Matches(
            "Recovery/Repair",
            from state in Enum.GetValues<JobState>()
            from variant in Variants
            let move = Repair(Variant(state, variant))
            select $"{WireNames.Of(state)}{variant}: {Described(move)}"
        );

    [Fact]
    public void Final_job_is_never_moved() =>
        Assert.All(
            Enum.GetValues<JobState>().Where(state => state.IsFinal()),
            state => Assert.Null(Repair(Variant(state, " past its not_after")))
        );

    [Fact]
    public void Unclaimed_attempt_does_not_count_as_failed_and_names_its_pool()
    {
        var move = Repair(AJob.ToTest().Dispatched(attempt: 3))!;

        Assert.Equal((JobState.Accepted, 3), (move.After.State, move.After.Attempt));
        Assert.Contains("pool main", System.Text.Encoding.UTF8.GetString(move.Entry!.Detail), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-1, true)]
    [InlineData(0, true)]
    [InlineData(1, false)]
    public void Job_expires_at_its_not_after(int seconds, bool expires)
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
    public void Job_expires_when_its_approval_expires(int seconds, JobState state)
    {
        var useBy = AJob.Micros(AJob.Noon.AddSeconds(seconds));

        var move = Sweep.Repair(
            AJob.ToTest().In(JobState.Approved).With(job => job with { ApprovalRound = 1 }).Stored,
            AJob.Context(Class),
            useBy
        )!;

        Assert.Equal((state, state == JobState.Expired ? null : useBy), (move.After.State, move.After.DueAt));
    }

    [Fact]
    public void Retry_in_the_backlog_has_no_deadline_but_not_after()
    {
        var job = AJob.ToTest().In(JobState.Retrying).With(row => row with { ReadyAt = 1, OverallDeadline = 2, FailedAttempts = 1 });

        Assert.Equal((JobState.Retrying, null), (Repair(job)!.After.State, Repair(job)!.After.DueAt));
    }

    [Fact]
    public void Run_is_not_lost_without_a_readable_bundle()
    {
        var job = AJob.ToTest().Running().With(row => row with { RunUntil = 1 });

        Assert.NotNull(Repair(job));
        Assert.Null(Sweep.Repair(job.Stored, AJob.Context(Class) with { Bundle = null }));
    }

    private static Move? Repair(AJob job) => Sweep.Repair(job.Stored, AJob.Context(Class));

    private static string Described(Move? move)
    {
        if (move is null)
        {
            return "left alone";
        }

        var message = move.Outbox.Count > 0 ? $", message to {move.Outbox[0].Exchange}{move.Outbox[0].RoutingKey}" : "";
        return $"{WireNames.Of(move.After.State)}, line \"{move.Entry?.Kind ?? "none"}\"{message}";
    }

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
