using Dispatcher.Api;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Recovery;

namespace Dispatcher.UnitTests.Jobs;

public sealed class AttemptViewTests
{
    [Fact]
    public void A_job_that_was_never_dispatched_has_no_attempts() =>
        Assert.Empty(AttemptView.Of([Line("accepted", 0, 1), Line("cancelled", 0, 2)]));

    [Fact]
    public void Each_dispatch_is_an_attempt_with_its_own_worker_and_end()
    {
        var attempts = AttemptView.Of([
            Line("accepted", 0, 1),
            Line("dispatched", 1, 2),
            Line("claimed", 1, 3, """{"worker":"a/1"}"""),
            Line("fenced", 1, 4),
            Line("dispatched", 2, 5),
            Line("claimed", 2, 6, """{"worker":"b/2"}"""),
            Line("cancel_requested", 2, 7),
            Line("faulted", 2, 8, """{"fault":{"type":"x"}}"""),
        ]);

        Assert.Equal(
            [(1, "fenced", "a/1", At(2), (DateTimeOffset?)At(3), (DateTimeOffset?)At(4)), (2, "faulted", "b/2", At(5), At(6), At(8))],
            attempts.Select(attempt =>
                (attempt.Attempt, attempt.State, attempt.Worker, attempt.DispatchedAt, attempt.ClaimedAt, attempt.EndedAt)
            )
        );
        Assert.Equal("x", attempts[1].Fault!["type"]!.GetValue<string>());
    }

    [Theory]
    [InlineData(false, "dispatched")]
    [InlineData(true, "running")]
    public void Open_attempt_is_dispatched_or_running(bool claimed, string state)
    {
        TimelineEntry[] lines =
        [
            Line("dispatched", 1, 1),
            .. claimed ? [Line("claimed", 1, 2, """{"worker":"a/1"}""")] : Array.Empty<TimelineEntry>(),
        ];

        var attempt = Assert.Single(AttemptView.Of(lines));

        Assert.Equal((state, null, null), (attempt.State, attempt.Outcome, attempt.EndedAt));
    }

    [Fact]
    public void Entries_after_the_end_of_an_attempt_do_not_change_it()
    {
        var attempt = Assert.Single(
            AttemptView.Of([Line("dispatched", 1, 1), Line("unclaimed", 1, 2), Line("late_outcome", 1, 3), Line("cancelled", 1, 4)])
        );

        Assert.Equal(("unclaimed", At(2)), (attempt.State, attempt.EndedAt));
    }

    /// <summary>A late outcome is untrusted: it may name an attempt that never existed.</summary>
    [Fact]
    public void Attempt_that_only_a_late_outcome_names_does_not_exist()
    {
        var job = AJob.ToTest().Running();
        var late = OutcomeEntries.Late(AnOutcome.Succeeded(job) with { Attempt = 99 }, "stranger", JobState.Succeeded);

        Assert.Equal([1], AttemptView.Of([Line("dispatched", 1, 1), late]).Select(attempt => attempt.Attempt));
    }

    private static TimelineEntry Line(string kind, int attempt, long at, string detail = "{}") =>
        new()
        {
            JobId = AJob.ToTest().Stored.JobId,
            Kind = kind,
            Attempt = attempt,
            At = at,
            Actor = "dispatcher",
            Detail = System.Text.Encoding.UTF8.GetBytes(detail),
        };

    private static DateTimeOffset At(long micros) => Timestamps.At(micros);
}
