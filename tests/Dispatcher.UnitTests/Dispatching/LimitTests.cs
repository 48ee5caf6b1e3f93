using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Jobs;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Dispatching;

/// <summary>The limits that an attempt is dispatched with, and what its claim makes of them.</summary>
public sealed class LimitTests
{
    private const string Class = "idempotent: true, timeouts: { start: 30s, run: 1m, overall: 5m }";

    [Theory]
    [InlineData(null, 3_600, 60)]
    [InlineData(15_000L, 3_600, 15)]
    [InlineData(90_000L, 3_600, 60)]
    [InlineData(null, 20, 20)]
    [InlineData(15_000L, 20, 15)]
    public void A_run_has_the_shortest_of_the_topics_limit_the_rules_and_what_is_left_for_all_attempts(
        long? timeoutMs,
        int leftSeconds,
        int seconds
    )
    {
        var job = AJob.ToTest().With(row => row with { ReadyAt = Second(0), OverallDeadline = Second(leftSeconds), FailedAttempts = 1 });

        Assert.Equal(Second(seconds) - Second(0), Dispatched(job, at: 1_000, timeoutMs).RunLimitUs);
    }

    [Theory]
    [InlineData(null, 130)]
    [InlineData(120, 120)]
    public void An_attempt_must_start_in_time(int? notAfter, int startBy)
    {
        var job = AJob.ToTest().With(row => row with { NotAfter = notAfter is { } second ? Second(second) : null });

        Assert.Equal(Second(startBy), Dispatched(job, at: 100).StartBy);
    }

    [Fact]
    public void All_attempts_have_the_overall_limit_from_the_first_claim_and_what_is_waited_before_a_claim_does_not_count()
    {
        var accepted = AJob.ToTest().With(row => row with { ReadyAt = Second(0) });

        // 1,000 s in line and 20 s for a worker.
        var first = Claimed(Dispatched(accepted, at: 1_000), at: 1_020);
        Assert.Equal(Second(1_020 + 300), first.OverallDeadline);

        // It fails after 50 s, pauses for 10 s, and waits for 500 s in line.
        var second = Claimed(Dispatched(Retrying(first, readyAt: 1_080), at: 1_580), at: 1_590);
        Assert.Equal(Second(1_590 + 300 - 60), second.OverallDeadline);
        Assert.Equal(Second(60) - Second(0), second.RunLimitUs);

        // The next one has what is left, though nobody claimed it at first.
        var unclaimed = Dispatched(Retrying(second, readyAt: 1_800), at: 2_000) with
        {
            State = JobState.Retrying,
        };
        var third = Claimed(Dispatched(AJob.ToTest().With(_ => unclaimed), at: 3_000), at: 3_010);
        Assert.Equal((Second(3_040), Second(30) - Second(0)), (third.OverallDeadline, third.RunLimitUs));
    }

    private static AJob Retrying(Job job, int readyAt) =>
        AJob.ToTest().With(_ => job with { State = JobState.Retrying, FailedAttempts = 1, ReadyAt = Second(readyAt) });

    private static Job Dispatched(AJob job, int at, long? timeoutMs = null)
    {
        var constraints = timeoutMs is null ? null : new Constraints { TimeoutMs = timeoutMs };
        var decision = new Decision
        {
            Verdict = Verdict.Allow,
            Rules = [],
            MatchedRules = [],
            Reason = "allowed",
            Constraints = constraints,
            PolicyHash = "p",
            BasisHash = "b",
        };
        return JobDispatch.Dispatched(job.Stored, decision, AJob.Context(Class).ClassOf(job.Stored)!, Second(at));
    }

    private static Job Claimed(Job job, int at) => AttemptClaims.Running(job, new Guid(1, 2, 3, new byte[8]), "w", "p", Second(at));

    private static long Second(int second) => AJob.Micros(AJob.Noon.AddSeconds(second));
}
