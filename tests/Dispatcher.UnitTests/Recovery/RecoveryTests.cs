using System.Text;
using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Recovery;

namespace Dispatcher.UnitTests.Recovery;

public sealed class RecoveryTests
{
    private const string Class = "idempotent: true, max_attempts: 3";
    private static readonly AJob Running = AJob.ToTest().Running();

    [Fact]
    public void Success_is_stored_with_its_result()
    {
        var move = Of(Running, AnOutcome.Succeeded(Running, """{ "n": 1e2 }"""));

        Assert.Equal(
            (JobState.Succeeded, """{ "n": 1e2 }""", false),
            (move.After.State, Encoding.UTF8.GetString(move.After.Result!), move.After.ResultTruncated)
        );
        Assert.Equal("succeeded", move.Entry!.Kind);
        Assert.Empty(move.Outbox);
        Assert.Null(move.DeadLetter);
    }

    [Fact]
    public void Success_may_have_no_result() => Assert.Null(Of(Running, AnOutcome.Succeeded(Running)).After.Result);

    [Fact]
    public void Success_counts_in_spite_of_a_requested_cancellation() =>
        Assert.Equal(JobState.Succeeded, Of(Running.CancelRequested(), AnOutcome.Succeeded(Running)).After.State);

    [Theory]
    [InlineData(65_536, false)]
    [InlineData(65_537, true)]
    public void Result_over_64_KiB_is_cut_and_marked(int bytes, bool cut)
    {
        var result = $"\"{new string('r', bytes - 2)}\"";

        var after = Of(Running, AnOutcome.Succeeded(Running, result)).After;

        Assert.Equal(cut, after.ResultTruncated);
        using var stored = JsonDocument.Parse(after.Result!);
        Assert.Equal(cut ? JsonValueKind.Object : JsonValueKind.String, stored.RootElement.ValueKind);
        Assert.True(
            !cut
                || (stored.RootElement.GetProperty("truncated").GetBoolean() && stored.RootElement.GetProperty("bytes").GetInt32() == bytes)
        );
        Assert.True(after.Result!.Length <= 65_536);
    }

    [Theory]
    [InlineData("", "é")]
    [InlineData("", "😀")]
    [InlineData("a", "😀")]
    [InlineData("", "\\\"")]
    [InlineData("", "\\u0022")]
    public void Cut_result_stays_within_the_limit_and_is_valid_JSON(string first, string character)
    {
        var result = $"\"{first}{string.Concat(Enumerable.Repeat(character, 60_000))}\"";

        var after = Of(Running, AnOutcome.Succeeded(Running, result)).After;

        using var stored = JsonDocument.Parse(after.Result!);
        Assert.DoesNotContain('\uFFFD', stored.RootElement.GetProperty("preview").GetString()!);
        Assert.True(after.Result!.Length <= 65_536);
    }

    [Fact]
    public void Terminal_fault_becomes_a_dead_letter()
    {
        var move = Of(Running, AnOutcome.Faulted(Running, "terminal"));

        Assert.Equal(
            (JobState.DeadLettered, "terminal", "faulted", 1),
            (move.After.State, move.After.FaultClass, move.Entry!.Kind, move.After.FailedAttempts)
        );
        Assert.Equal(
            ("terminal", "team", 1, Running.Stored.JobId),
            (move.DeadLetter!.FaultClass, move.DeadLetter.Owner, move.DeadLetter.Attempt, move.DeadLetter.JobId)
        );
    }

    [Fact]
    public void Transient_fault_is_retried_after_a_pause()
    {
        var move = Of(Running, AnOutcome.Faulted(Running, "transient"));

        var pause = TimeSpan.FromMicroseconds(move.After.ReadyAt - AJob.Micros(AJob.Noon));
        Assert.Equal(
            (JobState.Retrying, "transient", "faulted", 1),
            (move.After.State, move.After.FaultClass, move.Entry!.Kind, move.After.FailedAttempts)
        );
        Assert.InRange(pause, TimeSpan.FromMilliseconds(500), TimeSpan.FromMilliseconds(1000));
        Assert.Null(move.DeadLetter);
        var signal = Assert.Single(move.Outbox);
        Assert.Equal(
            ("dispatcher.server.retry", "5s", true, (long?)move.After.ReadyAt),
            (signal.Exchange, signal.RoutingKey, signal.Mandatory, signal.ExpiresAt)
        );
        Assert.Equal(["main"], JsonSerializer.Deserialize<DispatchSignal>(signal.Body)!.Pools);
    }

    [Fact]
    public void Dead_letter_is_copied_to_its_owner()
    {
        var move = Of(Running, AnOutcome.Faulted(Running, "terminal"));

        var copy = Assert.Single(move.Outbox);
        var body = JsonSerializer.Deserialize(copy.Body, WireJson.Default.DeadLetterCopy)!;
        Assert.Equal(
            (Exchanges.DeadLetter, "team.test.run", MessageTypes.DeadLetter, true),
            (copy.Exchange, copy.RoutingKey, copy.Type, copy.Mandatory)
        );
        Assert.Equal(
            (move.DeadLetter!.DeadLetterId, copy.MessageId, "terminal", "It broke."),
            (body.DeadLetterId, body.DeadLetterId, body.FaultClass, body.Fault!.Message)
        );
    }

    [Fact]
    public void Dead_letter_of_an_unregistered_topic_belongs_to_the_dispatcher()
    {
        var job = AJob.OnTopic("test.gone").Running();

        Assert.Equal("dispatcher", Of(job, AnOutcome.Faulted(job)).DeadLetter!.Owner);
    }

    [Fact]
    public void Fault_without_details_is_kept_as_unknown()
    {
        var after = Of(Running, AnOutcome.Of(Running, OutcomeKind.Faulted)).After;

        Assert.Equal((JobState.Retrying, "unknown", "unknown"), (after.State, after.FaultClass, after.Fault!.Type));
    }

    [Fact]
    public void Cancelled_run_ends_as_cancelled_without_a_dead_letter()
    {
        var move = Of(Running.CancelRequested(), AnOutcome.Faulted(Running, code: "cancelled"));

        Assert.Equal((JobState.Cancelled, "cancelled"), (move.After.State, move.Entry!.Kind));
        Assert.Null(move.DeadLetter);
    }

    [Theory]
    [InlineData("terminal", JobState.DeadLettered)]
    [InlineData("transient", JobState.Cancelled)]
    public void Cancelled_run_with_a_transient_fault_ends_as_cancelled_and_with_a_terminal_one_as_dead_letter(
        string reported,
        JobState state
    ) => Assert.Equal(state, Of(Running.CancelRequested(), AnOutcome.Faulted(Running, reported, "exit:1")).After.State);

    [Fact]
    public void Stored_fault_is_short_and_has_no_U0000()
    {
        var outcome = AnOutcome.Faulted(Running, "terminal", code: new string('c', 100), message: "a\0b" + new string('m', 50_000));

        var move = Of(Running, outcome with { Fault = outcome.Fault! with { Type = "t\0" + new string('t', 30_000) } });

        Assert.Equal((256, 4_096, 64), (move.After.Fault!.Type.Length, move.After.Fault.Message.Length, move.After.Fault.Code!.Length));
        Assert.StartsWith("a?b", move.After.Fault.Message, StringComparison.Ordinal);
        Assert.StartsWith("t?", move.DeadLetter!.Fault!.Type, StringComparison.Ordinal);
        Assert.True(move.Entry!.Detail.Length < 6_000);
    }

    [Fact]
    public void Returned_attempt_does_not_count_as_failed_and_waits_like_a_first_retry()
    {
        var move = Of(Running.With(job => job with { ReadyAt = 17, OverallDeadline = 18 }), AnOutcome.Returned(Running));

        var later = AJob.Micros(AJob.Noon.AddSeconds(1));
        Assert.Equal(
            (JobState.Accepted, 1, 0, "returned"),
            (move.After.State, move.After.Attempt, move.After.FailedAttempts, move.Entry!.Kind)
        );
        Assert.Equal((later, null, null), (move.After.ReadyAt, move.After.OverallDeadline, move.After.DueAt));
        Assert.Equal(("dispatcher.server.retry", "5s"), (Assert.Single(move.Outbox).Exchange, move.Outbox[0].RoutingKey));
    }

    [Fact]
    public void Unclaimed_attempt_does_not_count_as_failed_and_keeps_its_position()
    {
        var job = AJob.ToTest()
            .Running()
            .With(job =>
                job with
                {
                    State = JobState.Dispatched,
                    ReadyAt = 17,
                    OverallDeadline = 18,
                    FailedAttempts = 1,
                    FaultClass = "transient",
                }
            );

        var move = RecoveryMoves.Unclaimed(job.Stored, AJob.Context(Class));

        Assert.Equal(
            (JobState.Retrying, 1, "unclaimed", false),
            (move.After.State, move.After.FailedAttempts, move.Entry!.Kind, move.IsFailedAttempt)
        );
        Assert.Equal((17, 18, null), (move.After.ReadyAt, move.After.OverallDeadline, move.After.DueAt));
    }

    [Fact]
    public void Returned_attempt_of_a_job_to_be_cancelled_ends_the_job()
    {
        var move = Of(Running.CancelRequested(), AnOutcome.Returned(Running));

        Assert.Equal(JobState.Cancelled, move.After.State);
        Assert.Empty(move.Outbox);
    }

    [Fact]
    public void Lost_run_of_an_idempotent_job_is_retried()
    {
        var move = Lost(Running, Class)!;

        Assert.Equal(
            (JobState.Retrying, "fenced", "lost", 1),
            (move.After.State, move.Entry!.Kind, move.After.FaultClass, move.Outbox.Count)
        );
        Assert.Null(move.After.RunUntil);
    }

    [Fact]
    public void Unclaimed_attempt_does_not_count_against_a_lost_run()
    {
        var move = Lost(AJob.ToTest().Running(attempt: 30).With(job => job with { FailedAttempts = 1 }), Class)!;

        Assert.Equal((JobState.Retrying, 2), (move.After.State, move.After.FailedAttempts));
    }

    [Fact]
    public void Lost_run_of_the_last_attempt_becomes_a_dead_letter()
    {
        var move = Lost(AJob.ToTest().Running(attempt: 3).With(job => job with { FailedAttempts = 2, FaultClass = "lost" }), Class)!;

        Assert.Equal((JobState.DeadLettered, "lost", "worker_lost"), (move.After.State, move.After.FaultClass, move.After.Fault!.Code));
        Assert.Contains("the last of 3 attempts", Encoding.UTF8.GetString(move.Entry!.Detail), StringComparison.Ordinal);
        Assert.NotNull(move.DeadLetter);
    }

    [Fact]
    public void Lost_run_of_a_job_to_be_cancelled_ends_the_job() =>
        Assert.Equal(JobState.Cancelled, Lost(Running.CancelRequested(), Class)!.After.State);

    [Theory]
    [InlineData(0, false)]
    [InlineData(139, false)]
    [InlineData(140, true)]
    public void Lost_run_that_must_not_be_repeated_is_in_doubt_after_its_report_grace(int seconds, bool over)
    {
        var move = Lost(Running, "idempotent: false", AJob.Noon.AddSeconds(seconds));

        Assert.Equal(over ? "in_doubt" : null, move?.After.FaultClass);
        Assert.Equal(over ? JobState.DeadLettered : null, move?.After.State);
    }

    [Fact]
    public void Lost_run_of_an_unregistered_topic_is_not_repeated()
    {
        var job = AJob.OnTopic("test.gone").Running();

        Assert.Null(Lost(job, Class));
        Assert.Equal("in_doubt", Lost(job, Class, AJob.Noon.AddMinutes(10))!.After.FaultClass);
    }

    [Fact]
    public void Lost_run_in_doubt_becomes_a_dead_letter_in_spite_of_a_cancellation() =>
        Assert.Equal("in_doubt", Lost(Running.CancelRequested(), "idempotent: false", AJob.Noon.AddMinutes(10))!.After.FaultClass);

    private static Move Of(AJob job, AttemptOutcome outcome) => RecoveryMoves.Of(job.Stored, outcome, AJob.Context(Class));

    private static Move? Lost(AJob job, string topic, DateTimeOffset? now = null) =>
        RecoveryMoves.Lost(job.Stored, AJob.Context(topic, now));
}
