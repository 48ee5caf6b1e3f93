using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;

namespace Dispatcher.UnitTests.Jobs;

public sealed class TransitionsTests
{
    private static readonly JobState[] States = Enum.GetValues<JobState>();

    [Fact]
    public void The_table_is_as_approved() =>
        Approved.Matches(
            "Jobs/Transitions",
            States.Select(from =>
                $"{WireNames.Of(from)}{(from.IsFinal() ? " (final)" : "")} -> "
                + string.Join(", ", States.Where(to => Transitions.Allows(from, to)).Select(WireNames.Of))
            )
        );

    [Fact]
    public void Only_a_replay_leaves_a_final_state()
    {
        var outOfFinal =
            from before in States
            where before.IsFinal()
            from after in States
            where Transitions.Allows(before, after)
            select (before, after);

        Assert.Equal([(JobState.DeadLettered, JobState.Accepted)], outOfFinal);
    }

    [Fact]
    public void Every_live_state_leads_to_a_final_one() =>
        Assert.All(
            States.Where(state => !state.IsFinal()),
            from => Assert.Contains(States, to => to.IsFinal() && Transitions.Allows(from, to))
        );

    [Fact]
    public void Only_a_dispatched_job_can_run() =>
        Assert.Equal([JobState.Dispatched, JobState.Running], States.Where(from => Transitions.Allows(from, JobState.Running)));

    [Fact]
    public void Move_that_is_not_in_the_table_throws()
    {
        var job = AJob.ToTest().In(JobState.Held).Stored;

        var error = Assert.Throws<InvalidOperationException>(() => new Move(job, job with { State = JobState.Running }));

        Assert.Contains("no transition leads from Held to Running", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Move_increases_the_version_and_clears_the_due_time_of_a_final_state()
    {
        var job = AJob.ToTest().With(row => row with { Version = 7, DueAt = 5 }).Stored;

        Assert.Equal((8, 6), (new Move(job, job with { DueAt = 6 }).After.Version, new Move(job, job with { DueAt = 6 }).After.DueAt));
        Assert.Null(new Move(job, job with { State = JobState.Cancelled, DueAt = 6 }).After.DueAt);
    }
}
