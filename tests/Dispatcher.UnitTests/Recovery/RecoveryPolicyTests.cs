using Dispatcher.Contracts;
using Dispatcher.Recovery;

namespace Dispatcher.UnitTests.Recovery;

/// <summary>The table of <c>policies/README.md</c>, "Faults".</summary>
public sealed class RecoveryPolicyTests
{
    private const string Faults =
        "faults: { transient: ['http:409', 'stock_*', 'My.BusyException'], terminal: ['http:503', 'stock_gone', 'exit:*'] }";
    private static readonly AJob Running = AJob.ToTest().Running();

    [Theory]
    // The effects or the end of the run are unknown.
    [InlineData(true, "transient", "in_doubt", "E", "DeadLetter in_doubt")]
    [InlineData(true, null, "timeout", "timeout", "Retry timeout")]
    [InlineData(false, null, "timeout", "timeout", "DeadLetter timeout")]
    [InlineData(true, null, "worker_lost", "worker_lost", "Retry lost")]
    [InlineData(false, null, "worker_lost", "worker_lost", "DeadLetter in_doubt")]
    [InlineData(true, null, "worker_stopping", "worker_stopping", "Retry transient")]
    [InlineData(false, null, "worker_stopping", "worker_stopping", "DeadLetter in_doubt")]
    // The fault table of the topic, by code and by type: an exact name first, then the longer prefix.
    [InlineData(false, null, "http:409", "E", "Retry transient")]
    [InlineData(false, null, null, "My.BusyException", "Retry transient")]
    [InlineData(true, null, "http:503", "E", "DeadLetter terminal")]
    [InlineData(true, null, "stock_gone", "E", "DeadLetter terminal")]
    [InlineData(true, null, "stock_locked", "E", "Retry transient")]
    [InlineData(true, null, "exit:75", "E", "DeadLetter terminal")]
    [InlineData(true, "transient", "http:503", "E", "DeadLetter terminal")]
    [InlineData(true, "terminal", "http:409", "E", "Retry transient")]
    [InlineData(true, "terminal", "HTTP:409", "E", "DeadLetter terminal")]
    // The class that the handler reports.
    [InlineData(true, "transient", "exotic", "E", "Retry transient")]
    [InlineData(false, "transient", "exotic", "E", "Retry transient")]
    [InlineData(true, "terminal", "http:500", "E", "DeadLetter terminal")]
    [InlineData(true, "transient", "timeout", "E", "Retry transient")]
    [InlineData(true, "in_doubt", null, "E", "Retry unknown")]
    // The defaults.
    [InlineData(true, null, "http:500", "E", "Retry transient")]
    [InlineData(false, null, "http:500", "E", "DeadLetter transient")]
    [InlineData(true, null, "http:404", "E", "DeadLetter terminal")]
    [InlineData(true, null, "http:429", "E", "Retry transient")]
    [InlineData(true, null, "http:501", "E", "DeadLetter terminal")]
    [InlineData(true, null, null, "System.TimeoutException", "Retry transient")]
    [InlineData(true, null, null, "ConnectionResetError", "Retry transient")]
    [InlineData(true, null, null, "System.ArgumentException", "DeadLetter terminal")]
    // Unclassified.
    [InlineData(true, null, null, "E", "Retry unknown")]
    [InlineData(false, null, null, "E", "DeadLetter unknown")]
    public void Fault_is_handled_as_the_table_states(bool idempotent, string? reported, string? code, string type, string expected)
    {
        var decision = Decide(
            Running,
            new Fault
            {
                Class = reported,
                Code = code,
                Type = type,
                Message = "It broke.",
            },
            $"idempotent: {(idempotent ? "true" : "false")}, max_attempts: 9, {Faults}"
        );

        Assert.Equal(expected, $"{decision.Action} {decision.FaultClass}");
    }

    [Fact]
    public void Result_that_cannot_be_stored_is_terminal_for_every_topic()
    {
        var fault = new Fault
        {
            Class = "terminal",
            Code = "bad_result",
            Type = "E",
            Message = "It broke.",
        };

        var decision = Decide(Running, fault, "idempotent: true, max_attempts: 9, faults: { transient: ['bad_*'] }");

        Assert.Equal((RecoveryAction.DeadLetter, "terminal"), (decision.Action, decision.FaultClass));
    }

    [Fact]
    public void Unclassified_fault_is_retried_once()
    {
        var again = Running.With(job => job with { FailedAttempts = 1, FaultClass = "unknown" });
        var after = Running.With(job => job with { FailedAttempts = 1, FaultClass = "transient" });

        Assert.Equal(RecoveryAction.Retry, Decide(Running, Unknown).Action);
        Assert.Equal(RecoveryAction.DeadLetter, Decide(again, Unknown).Action);
        Assert.Equal(RecoveryAction.Retry, Decide(after, Unknown).Action);
    }

    [Theory]
    [InlineData(0, "Retry")]
    [InlineData(1, "Retry")]
    [InlineData(2, "DeadLetter")]
    public void Topic_limits_the_number_of_attempts(int failed, string action) =>
        Assert.Equal(action, Decide(Running.With(job => job with { FailedAttempts = failed }), Transient).Action.ToString());

    [Theory]
    [InlineData(3, 2, "transient", "Retry")]
    [InlineData(3, 3, "lost", "DeadLetter")]
    [InlineData(3, 1, "lost", "Retry")]
    [InlineData(1, 0, null, "DeadLetter")]
    public void Lost_last_attempt_is_repeated_once_alone(int attempts, int failed, string? before, string action) =>
        Assert.Equal(
            action,
            Decide(
                Running.With(job => job with { FailedAttempts = failed, FaultClass = before }),
                new Fault
                {
                    Type = "worker_lost",
                    Code = "worker_lost",
                    Message = "Gone.",
                },
                $"idempotent: true, max_attempts: {attempts}"
            )
                .Action.ToString()
        );

    [Theory]
    [InlineData(0, 500, 1_000)]
    [InlineData(1, 1_000, 2_000)]
    [InlineData(2, 2_000, 4_000)]
    [InlineData(3, 2_500, 5_000)]
    [InlineData(40, 2_500, 5_000)]
    public void Pause_doubles_up_to_its_maximum_and_varies_by_a_half(int failed, int min, int max)
    {
        var pauses = Enumerable
            .Range(0, 200)
            .Select(_ =>
                Decide(
                    Running.With(job => job with { JobId = Guid.NewGuid(), FailedAttempts = failed }),
                    Transient,
                    "idempotent: true, max_attempts: 100, backoff: { first: 1s, most: 5s }"
                ).Pause
            )
            .ToList();

        Assert.All(pauses, pause => Assert.InRange(pause, TimeSpan.FromMilliseconds(min), TimeSpan.FromMilliseconds(max)));
        Assert.True(pauses.Max() - pauses.Min() > TimeSpan.FromMilliseconds((max - min) * 0.8), "The pauses hardly vary.");
    }

    [Fact]
    public void Pause_is_the_same_for_the_same_attempt_of_a_job()
    {
        Assert.Equal(Decide(Running, Transient), Decide(Running, Transient));
        Assert.NotEqual(Decide(Running, Transient).Pause, Decide(Running.With(job => job with { Attempt = 2 }), Transient).Pause);
    }

    [Fact]
    public void Retry_waits_at_least_as_long_as_the_fault_requests()
    {
        Assert.InRange(Decide(Running, Transient with { RetryAfterMs = 90_000 }).Pause, TimeSpan.FromSeconds(90), TimeSpan.FromSeconds(91));
        Assert.InRange(Decide(Running, Transient with { RetryAfterMs = -1 }).Pause, TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(1));
        Assert.Equal(RecoveryAction.Retry, Decide(Running, Transient with { RetryAfterMs = long.MaxValue }).Action);
    }

    [Fact]
    public void Retry_does_not_follow_after_a_deadline()
    {
        var limited = Running.With(job => job with { OverallDeadline = AJob.Micros(AJob.Noon.AddSeconds(30)) });
        var wanted = Running.With(job => job with { NotAfter = AJob.Micros(AJob.Noon.AddSeconds(30)) });

        Assert.Equal(RecoveryAction.Retry, Decide(limited, Transient with { RetryAfterMs = 20_000 }).Action);
        Assert.Contains("overall", Decide(limited, Transient with { RetryAfterMs = 30_000 }).Why, StringComparison.Ordinal);
        Assert.Contains("not_after", Decide(wanted, Transient with { RetryAfterMs = 30_000 }).Why, StringComparison.Ordinal);
    }

    [Fact]
    public void Job_of_an_unregistered_topic_is_not_retried()
    {
        var gone = AJob.OnTopic("test.gone").Running();

        Assert.Equal(RecoveryAction.DeadLetter, Decide(gone, Transient).Action);
        Assert.Equal(RecoveryAction.DeadLetter, Decide(gone, Unknown).Action);
        Assert.Contains("not in the registry", Decide(gone, Unknown).Why, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("transient", null, "Cancel")]
    [InlineData("terminal", null, "DeadLetter")]
    [InlineData(null, "cancelled", "Cancel")]
    [InlineData("terminal", "in_doubt", "DeadLetter")]
    public void Job_with_a_requested_cancellation_is_not_retried(string? reported, string? code, string action) =>
        Assert.Equal(
            action,
            Decide(
                Running.CancelRequested(),
                new Fault
                {
                    Class = reported,
                    Code = code,
                    Type = "E",
                    Message = "It broke.",
                }
            )
                .Action.ToString()
        );

    private static Fault Transient =>
        new()
        {
            Class = "transient",
            Type = "E",
            Message = "It broke.",
        };

    private static Fault Unknown => new() { Type = "E", Message = "It broke." };

    private static RecoveryDecision Decide(AJob job, Fault fault, string topic = "idempotent: true, max_attempts: 3")
    {
        var context = AJob.Context(topic);
        return RecoveryPolicy.Decide(job.Stored, fault, context.ClassOf(job.Stored), context.Now);
    }
}
