using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Intake;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Policies;
using Dispatcher.Policies.Model;

namespace Dispatcher.Recovery;

/// <summary>What a decision about recovery may look at.</summary>
internal sealed record RecoveryContext(Bundle? Bundle, long Now, TimeProvider Time)
{
    /// <summary>The registry's word on the job's topic. Null: it has none now, and the job is treated as one that must not be repeated.</summary>
    public JobClass? ClassOf(Job job) => Bundle?.JobClasses.GetValueOrDefault(job.Topic);
}

/// <summary>From an attempt that ended, or was lost, to the move that follows. Pure: the same input gives the same move.</summary>
internal static class RecoveryMoves
{
    private const int LargestResult = 65_536;

    private static readonly TimeSpan ShortPause = TimeSpan.FromSeconds(1);

    /// <summary>The worker told how its attempt ended.</summary>
    public static Move Of(Job job, AttemptOutcome outcome, RecoveryContext around) =>
        outcome.Kind switch
        {
            OutcomeKind.Succeeded => Succeeded(job, outcome),
            OutcomeKind.Faulted => Faulted(job, outcome, around),
            OutcomeKind.Returned => Returned(job, around),
        };

    /// <summary>The worker is gone: its lease or its time has run out. Null: leave it, a run that must not be repeated may still report until its end.</summary>
    public static Move? OfLost(Job job, RecoveryContext around)
    {
        var over = job.RunUntil + Timestamps.Micros(Leases.ReportGrace) <= around.Now;
        if (!over && around.ClassOf(job)?.Idempotent != true)
        {
            return null;
        }

        var fault = new Fault
        {
            Type = FaultCodes.WorkerLost,
            Message = $"Worker {job.Worker} claimed attempt {job.Attempt} and was not heard of again.",
            Code = FaultCodes.WorkerLost,
        };
        return Failed(
            job,
            fault,
            around,
            (after, why) =>
                JobEntries.Repaired(
                    after.State == JobState.Cancelled ? TimelineKinds.Cancelled : TimelineKinds.Fenced,
                    after,
                    $"{fault.Message} {why}"
                )
        );
    }

    /// <summary>Nobody claimed it: back into its line, at its old place. The attempt was never begun, and costs nothing.</summary>
    public static Move Unclaimed(Job job, RecoveryContext around) =>
        Again(job, around.Now, job.ReadyAt, TimelineKinds.Unclaimed, $"no worker of pool {job.Pool} claimed the attempt in time");

    /// <summary>Costs nothing either, but waits as long as a first retry: a worker that gives everything back must not be asked without end.</summary>
    private static Move Returned(Job job, RecoveryContext around)
    {
        var pause = around.ClassOf(job)?.FirstPause ?? ShortPause;
        var move = Again(
            job,
            around.Now,
            around.Now + Timestamps.Micros(pause),
            TimelineKinds.Returned,
            "the worker gave the attempt back before it began"
        );
        return move.After.State.IsFinal()
            ? move
            : move with
            {
                Outbox = [DispatchSignal.Later(job.Pool!, pause, move.After.ReadyAt, around.Time)],
            };
    }

    private static Move Again(Job job, long now, long readyAt, string kind, string reason)
    {
        var state =
            job.CancelRequested ? JobState.Cancelled
            : job.State == JobState.Dispatched && job.Verdict == Verdict.RequireApproval ? JobState.Approved // which is given back with it
            : job.FailedAttempts > 0 ? JobState.Retrying
            : JobState.Accepted;

        // Until when an approval can be used is on its own row, where the sweep looks.
        var dueAt = state == JobState.Approved ? now : job.NotAfter;
        var after = job with
        {
            State = state,
            ReadyAt = readyAt,
            OverallDeadline = job.FailedAttempts > 0 ? job.OverallDeadline : null,
            DueAt = dueAt,
            RunUntil = null,
        };
        return new Move(job, after) { Entry = JobEntries.Repaired(kind, after, reason) };
    }

    /// <summary>It only waits for its turn: the sweep need not look at it before a limit.</summary>
    public static Move Waiting(Job job, long? useBy) =>
        new(job, job with { DueAt = job.NotAfter is null || useBy < job.NotAfter ? useBy : job.NotAfter });

    private static Move Succeeded(Job job, AttemptOutcome outcome)
    {
        var (result, cut) = Capped(outcome.Result);
        var after = job with { State = JobState.Succeeded, Result = result, ResultTruncated = cut, Fault = null, FaultClass = null };
        return new Move(job, after) { Entry = OutcomeEntries.Ended(TimelineKinds.Succeeded, after, outcome) };
    }

    private static Move Faulted(Job job, AttemptOutcome outcome, RecoveryContext around)
    {
        var fault = Capped(outcome.Fault ?? new Fault { Type = "unknown", Message = "The worker reported a fault without saying which." });
        return Failed(
            job,
            fault,
            around,
            (after, why) =>
                OutcomeEntries.Ended(
                    after.State == JobState.Cancelled ? TimelineKinds.Cancelled : TimelineKinds.Faulted,
                    after,
                    outcome with
                    {
                        Fault = fault,
                    },
                    why
                )
        );
    }

    /// <summary>Where a fault leads, whoever told of it.</summary>
    private static Move Failed(Job job, Fault fault, RecoveryContext around, Func<Job, string, TimelineEntry> tell)
    {
        var decision = RecoveryPolicy.Decide(job, fault, around.ClassOf(job), around.Now);
        return decision.Action switch
        {
            RecoveryAction.Retry => Retried(job, fault, decision, around, tell),
            RecoveryAction.DeadLetter => DeadLettered(job, fault, decision.FaultClass, around, after => tell(after, decision.Why)),
            RecoveryAction.Cancel => Cancelled(job, fault, after => tell(after, decision.Why)),
        };
    }

    private static Move Retried(
        Job job,
        Fault fault,
        RecoveryDecision decision,
        RecoveryContext around,
        Func<Job, string, TimelineEntry> tell
    )
    {
        var readyAt = around.Now + Timestamps.Micros(decision.Pause);
        var after = job with
        {
            State = JobState.Retrying,
            FailedAttempts = job.FailedAttempts + 1,
            ReadyAt = readyAt,
            DueAt = job.NotAfter,
            RunUntil = null,
            Fault = fault,
            FaultClass = decision.FaultClass,
        };
        return new Move(job, after)
        {
            Entry = tell(after, decision.Why),
            Outbox = [DispatchSignal.Later(job.Pool!, decision.Pause, readyAt, around.Time)],
        };
    }

    private static Move Cancelled(Job job, Fault fault, Func<Job, TimelineEntry> tell)
    {
        var after = job with { State = JobState.Cancelled, Fault = fault };
        return new Move(job, after) { Entry = tell(after) };
    }

    private static Move DeadLettered(Job job, Fault fault, string faultClass, RecoveryContext around, Func<Job, TimelineEntry> tell)
    {
        var after = job with
        {
            State = JobState.DeadLettered,
            FailedAttempts = job.State == JobState.Running ? job.FailedAttempts + 1 : job.FailedAttempts,
            Fault = fault,
            FaultClass = faultClass,
        };
        var letter = new DeadLetter
        {
            DeadLetterId = Guid.CreateVersion7(around.Time.GetUtcNow()),
            FaultClass = faultClass,
            Owner = around.ClassOf(job)?.Owner ?? Refusals.Owner,
            Topic = job.Topic,
            Principal = job.Principal,
            JobId = job.JobId,
            Attempt = job.Attempt,
            Fault = fault,
        };
        return new Move(job, after)
        {
            Entry = JobEntries.Naming(tell(after), letter),
            DeadLetter = letter,
            Outbox = [DeadLetterMessage.Of(letter, letter.DeadLetterId, Timestamps.At(around.Now))],
        };
    }

    /// <summary>A result over 64 KiB is replaced by its beginning, marked as such.</summary>
    private static (byte[]? Result, bool Cut) Capped(JsonElement? result)
    {
        if (result is not { } value)
        {
            return (null, false);
        }

        var text = value.GetRawText();
        var bytes = System.Text.Encoding.UTF8.GetBytes(text);
        return bytes.Length <= LargestResult
            ? (bytes, false)
            : (
                JsonSerializer.SerializeToUtf8Bytes(
                    new
                    {
                        truncated = true,
                        bytes = bytes.Length,
                        preview = StoredText.Head(text, LargestResult / 8),
                    }
                ),
                true
            );
    }

    internal static Fault Capped(Fault fault) =>
        fault with
        {
            Type = StoredText.Cut(fault.Type, 256),
            Message = StoredText.Cut(fault.Message, 4_096),
            Code = fault.Code is null ? null : StoredText.Cut(fault.Code, 64),
        };
}
