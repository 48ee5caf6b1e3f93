using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Jobs;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Dispatching;

/// <summary>The time limits that a dispatch sets for an attempt, and the times that its claim derives from them.</summary>
public sealed class LimitTests
{
    private const string Class = "idempotent: true, timeouts: { start: 30s, run: 1m, overall: 5m }";

    [Theory]
    [InlineData(null, 3_600, 60)]
    [InlineData(15_000L, 3_600, 15)]
    [InlineData(90_000L, 3_600, 60)]
    [InlineData(null, 20, 20)]
    [InlineData(15_000L, 20, 15)]
    public void Run_limit_is_the_shortest_of_topic_rule_and_remaining_overall_time(long? timeoutMs, int leftSeconds, int seconds)
    {
        var job = AJob.ToTest().With(row => row with { ReadyAt = Second(0), OverallDeadline = Second(leftSeconds), FailedAttempts = 1 });

        Assert.Equal(Second(seconds) - Second(0), Dispatched(job, at: 1_000, timeoutMs).RunLimitUs);
    }

    [Theory]
    [InlineData(null, 130)]
    [InlineData(120, 120)]
    public void Start_deadline_is_the_earlier_of_start_timeout_and_not_after(int? notAfter, int startBy)
    {
        var job = AJob.ToTest().With(row => row with { NotAfter = notAfter is { } second ? Second(second) : null });

        Assert.Equal(Second(startBy), Dispatched(job, at: 100).StartBy);
    }

    [Fact]
    public void Overall_deadline_starts_at_the_first_claim_and_excludes_waits_for_later_claims()
    {
        var accepted = AJob.ToTest().With(row => row with { ReadyAt = Second(0) });

        // The job waits 1,000 s in the backlog and 20 s for a worker.
        var first = Claimed(Dispatched(accepted, at: 1_000), at: 1_020);
        Assert.Equal(Second(1_020 + 300), first.OverallDeadline);

        // The attempt fails after 50 s. The job pauses for 10 s and waits 500 s in the backlog.
        var second = Claimed(Dispatched(Retrying(first, readyAt: 1_080), at: 1_580), at: 1_590);
        Assert.Equal(Second(1_590 + 300 - 60), second.OverallDeadline);
        Assert.Equal(Second(60) - Second(0), second.RunLimitUs);

        // The third attempt has the remaining time, although its first dispatch was not claimed.
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
