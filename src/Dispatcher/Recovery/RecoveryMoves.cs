using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Intake;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Policies;
using Dispatcher.Policies.Model;

namespace Dispatcher.Recovery;

/// <summary>The bundle and the time on which a recovery decision depends.</summary>
internal sealed record RecoveryContext(Bundle? Bundle, long Now, TimeProvider Time)
{
    /// <summary>The registry entry of the job's topic. Null: the topic is not registered now, and the job must not be repeated.</summary>
    public JobClass? ClassOf(Job job) => Bundle?.JobClasses.GetValueOrDefault(job.Topic);
}

/// <summary>
/// Creates the move that follows an attempt that ended, was lost or was not claimed. Pure except for the ids and times of messages.
/// </summary>
internal static class RecoveryMoves
{
    private const int MaxResultBytes = 65_536;

    private static readonly TimeSpan ShortPause = TimeSpan.FromSeconds(1);

    /// <summary>The move that follows an outcome that the worker reported.</summary>
    public static Move Of(Job job, AttemptOutcome outcome, RecoveryContext context) =>
        outcome.Kind switch
        {
            OutcomeKind.Succeeded => Succeeded(job, outcome),
            OutcomeKind.Faulted => Faulted(job, outcome, context),
            OutcomeKind.Returned => Returned(job, context),
        };

    /// <summary>
    /// The move of a run whose lease or time is over: its worker is lost. Null: the topic is not idempotent, and the run may still report
    /// until its hard end.
    /// </summary>
    public static Move? Lost(Job job, RecoveryContext context)
    {
        var over = job.RunUntil + Timestamps.Micros(Leases.ReportGrace) <= context.Now;
        if (!over && context.ClassOf(job)?.Idempotent != true)
        {
            return null;
        }

        var fault = new Fault
        {
            Type = FaultCodes.WorkerLost,
            Message = $"Worker {job.Worker} claimed attempt {job.Attempt} and reported no outcome in time.",
            Code = FaultCodes.WorkerLost,
        };
        return Failed(
            job,
            fault,
            context,
            (after, why) =>
                JobEntries.Repaired(
                    after.State == JobState.Cancelled ? TimelineKinds.Cancelled : TimelineKinds.Fenced,
                    after,
                    $"{fault.Message} {why}"
                )
        );
    }

    /// <summary>
    /// The move of an attempt that no worker claimed: the job returns to its old position in the backlog. The attempt never began, so
    /// it does not count as a failed attempt.
    /// </summary>
    public static Move Unclaimed(Job job, RecoveryContext context) =>
        BackToWaiting(job, context.Now, job.ReadyAt, TimelineKinds.Unclaimed, $"no worker of pool {job.Pool} claimed the attempt in time");

    /// <summary>
    /// The move of an attempt that its worker returned. It does not count as a failed attempt either, but waits as long as a first retry,
    /// so that a worker that returns every job is not sent the same job in a tight loop.
    /// </summary>
    private static Move Returned(Job job, RecoveryContext context)
    {
        var pause = context.ClassOf(job)?.FirstPause ?? ShortPause;
        var move = BackToWaiting(
            job,
            context.Now,
            context.Now + Timestamps.Micros(pause),
            TimelineKinds.Returned,
            "the worker returned the attempt before it began"
        );
        return move.After.State.IsFinal()
            ? move
            : move with
            {
                Outbox = [DispatchSignal.Later(job.Pool!, pause, move.After.ReadyAt, context.Time)],
            };
    }

    private static Move BackToWaiting(Job job, long now, long readyAt, string kind, string reason)
    {
        // The move to approved also releases the approval of the dispatch.
        var state =
            job.CancelRequested ? JobState.Cancelled
            : job.State == JobState.Dispatched && job.Verdict == Verdict.RequireApproval ? JobState.Approved
            : job.FailedAttempts > 0 ? JobState.Retrying
            : JobState.Accepted;

        // Due at once: the sweep then reads use_by from the row of the approval.
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

    /// <summary>
    /// The move of a job that is ready and not dispatched: the sweep next checks it at its not_after or the end of its approval.
    /// </summary>
    public static Move Postponed(Job job, long? useBy) =>
        new(job, job with { DueAt = job.NotAfter is null || useBy < job.NotAfter ? useBy : job.NotAfter });

    private static Move Succeeded(Job job, AttemptOutcome outcome)
    {
        var (result, cut) = Capped(outcome.Result);
        var after = job with { State = JobState.Succeeded, Result = result, ResultTruncated = cut, Fault = null, FaultClass = null };
        return new Move(job, after) { Entry = OutcomeEntries.Ended(TimelineKinds.Succeeded, after, outcome) };
    }

    private static Move Faulted(Job job, AttemptOutcome outcome, RecoveryContext context)
    {
        var fault = Capped(outcome.Fault ?? new Fault { Type = "unknown", Message = "The worker reported a fault without details." });
        return Failed(
            job,
            fault,
            context,
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

    /// <summary>The move that follows a fault, from a report or a lost worker.</summary>
    private static Move Failed(Job job, Fault fault, RecoveryContext context, Func<Job, string, TimelineEntry> entryOf)
    {
        var decision = RecoveryPolicy.Decide(job, fault, context.ClassOf(job), context.Now);
        return decision.Action switch
        {
            RecoveryAction.Retry => Retried(job, fault, decision, context, entryOf),
            RecoveryAction.DeadLetter => DeadLettered(job, fault, decision.FaultClass, context, after => entryOf(after, decision.Why)),
            RecoveryAction.Cancel => Cancelled(job, fault, after => entryOf(after, decision.Why)),
        };
    }

    private static Move Retried(
        Job job,
        Fault fault,
        RecoveryDecision decision,
        RecoveryContext context,
        Func<Job, string, TimelineEntry> entryOf
    )
    {
        var readyAt = context.Now + Timestamps.Micros(decision.Pause);
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
            Entry = entryOf(after, decision.Why),
            Outbox = [DispatchSignal.Later(job.Pool!, decision.Pause, readyAt, context.Time)],
        };
    }

    private static Move Cancelled(Job job, Fault fault, Func<Job, TimelineEntry> entryOf)
    {
        var after = job with { State = JobState.Cancelled, Fault = fault };
        return new Move(job, after) { Entry = entryOf(after) };
    }

    private static Move DeadLettered(Job job, Fault fault, string faultClass, RecoveryContext context, Func<Job, TimelineEntry> entryOf)
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
            DeadLetterId = Guid.CreateVersion7(context.Time.GetUtcNow()),
            FaultClass = faultClass,
            Owner = context.ClassOf(job)?.Owner ?? Refusals.Owner,
            Topic = job.Topic,
            Principal = job.Principal,
            JobId = job.JobId,
            Attempt = job.Attempt,
            Fault = fault,
        };
        return new Move(job, after)
        {
            Entry = JobEntries.Naming(entryOf(after), letter),
            DeadLetter = letter,
            Outbox = [DeadLetterMessage.Of(letter, letter.DeadLetterId, Timestamps.At(context.Now))],
        };
    }

    /// <summary>Replaces a result over 64 KiB by an object with its size and a preview.</summary>
    private static (byte[]? Result, bool Cut) Capped(JsonElement? result)
    {
        if (result is not { } value)
        {
            return (null, false);
        }

        var text = value.GetRawText();
        var bytes = System.Text.Encoding.UTF8.GetBytes(text);
        return bytes.Length <= MaxResultBytes
            ? (bytes, false)
            : (
                JsonSerializer.SerializeToUtf8Bytes(
                    new
                    {
                        truncated = true,
                        bytes = bytes.Length,
                        preview = StoredText.Head(text, MaxResultBytes / 8),
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
