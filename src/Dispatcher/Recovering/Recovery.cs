using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.DeadLetters;
using Dispatcher.Dispatching;
using Dispatcher.Intake;
using Dispatcher.Jobs;
using Dispatcher.Policies;
using Dispatcher.Relaying;
using Dispatcher.Storing;
using Dispatcher.Timelines;

namespace Dispatcher.Recovering;

/// <summary>What a decision about recovery may look at.</summary>
internal sealed record Surroundings(Bundle? Bundle, long Now, TimeProvider Time)
{
    /// <summary>The registry's word on the job's topic. Null: it has none now, and the job is treated as one that must not be repeated.</summary>
    public JobClass? ClassOf(Job job) => Bundle?.JobClasses.GetValueOrDefault(job.Topic);
}

/// <summary>From an attempt that ended, or was lost, to the move that follows. Pure: the same input gives the same move.</summary>
internal static class Recovery
{
    private const int LargestResult = 65_536;
    private const string CancelledCode = "cancelled";
    private const string TimeoutCode = "timeout";

    /// <summary>The worker told how its attempt ended.</summary>
    public static Move Of(Job job, AttemptOutcome outcome, Surroundings around) => outcome.Kind switch
    {
        OutcomeKind.Succeeded => Succeeded(job, outcome),
        OutcomeKind.Faulted => Faulted(job, outcome, around),
        OutcomeKind.Returned => Again(job, around, TimelineKinds.Returned, "the worker gave the attempt back before it began"),
    };

    /// <summary>The worker is gone: its lease or its time has run out. Null: leave it, a run that must not be repeated may still report until its end.</summary>
    public static Move? OfLost(Job job, Surroundings around)
    {
        var jobClass = around.ClassOf(job);
        var over = job.RunUntil + Timestamps.Micros(Attempts.Leases.ReportGrace) <= around.Now;
        if (jobClass?.Idempotent != true)
        {
            return over ? LostForGood(job, "Nobody knows whether the work was done.", FaultClasses.InDoubt, around) : null;
        }

        if (job.CancelRequested)
        {
            return Ended(job, JobState.Cancelled, TimelineKinds.Cancelled, "cancelled while its worker was lost");
        }

        var spent = job with { Spent = job.Spent + 1 };
        return spent.Spent < jobClass.MaxAttempts
            ? Again(job, spent, around, TimelineKinds.Fenced, "the worker was not heard of until its lease ended")
            : LostForGood(job, $"It was the last of {jobClass.MaxAttempts} attempts.", FaultClasses.Lost, around);
    }

    /// <summary>Back to dispatch, where the policy is asked again.</summary>
    public static Move Again(Job job, Surroundings around, string kind, string reason) => Again(job, job, around, kind, reason);

    private static Move Again(Job job, Job counted, Surroundings around, string kind, string reason)
    {
        // An attempt that nobody claimed gives its approval back.
        var waiting = job.State == JobState.Dispatched && job.Verdict == Verdict.RequireApproval ? JobState.Approved : JobState.Accepted;
        var state = job.CancelRequested ? JobState.Cancelled : waiting;
        var after = counted with { State = state, DueAt = around.Now + Timestamps.Micros(JobIntake.DispatchPatience), RunUntil = null };
        return new Move(job, after)
        {
            Entry = TimelineDetails.Repaired(kind, after, reason),
            Outbox = state.IsFinal() ? [] : [DispatchBatch.Message([job], around.Time)],
        };
    }

    /// <summary>It did not start in time.</summary>
    public static Move Expired(Job job) => Ended(job, JobState.Expired, TimelineKinds.Expired, "not_after has passed");

    /// <summary>To a final state that needs nobody.</summary>
    public static Move Ended(Job job, JobState state, string kind, string reason)
    {
        var after = job with { State = state, Reason = reason };
        return new Move(job, after) { Entry = TimelineDetails.Repaired(kind, after, reason) };
    }

    private static Move Succeeded(Job job, AttemptOutcome outcome)
    {
        var (result, cut) = Capped(outcome.Result);
        var after = job with { State = JobState.Succeeded, Result = result, ResultTruncated = cut };
        return new Move(job, after) { Entry = TimelineDetails.Ended(TimelineKinds.Succeeded, after, outcome) };
    }

    private static Move Faulted(Job job, AttemptOutcome outcome, Surroundings around)
    {
        var fault = Capped(outcome.Fault ?? new Fault { Type = "unknown", Message = "The worker reported a fault without saying which." });
        if (job.CancelRequested && fault.Code == CancelledCode)
        {
            var cancelled = job with { State = JobState.Cancelled, Fault = fault };
            return new Move(job, cancelled) { Entry = TimelineDetails.Ended(TimelineKinds.Cancelled, cancelled, outcome with { Fault = fault }) };
        }

        var faultClass = fault switch
        {
            { Code: TimeoutCode } => FaultClasses.Timeout,
            { Code: FaultClasses.InDoubt } => FaultClasses.InDoubt,
            { Class: FaultClasses.Transient or FaultClasses.Terminal } => fault.Class,
            _ => FaultClasses.Unknown,
        };
        return DeadLettered(job, fault, faultClass, around, after => TimelineDetails.Ended(TimelineKinds.Faulted, after, outcome with { Fault = fault }));
    }

    /// <summary>Nobody reported the end of the run, and it is not tried again.</summary>
    private static Move LostForGood(Job job, string more, string faultClass, Surroundings around)
    {
        var fault = new Fault { Type = "worker_lost", Message = $"Worker {job.Worker} claimed attempt {job.Attempt} and was not heard of again. {more}", Code = "worker_lost" };
        return DeadLettered(job, fault, faultClass, around, after => TimelineDetails.Repaired(TimelineKinds.Fenced, after, fault.Message));
    }

    private static Move DeadLettered(Job job, Fault fault, string faultClass, Surroundings around, Func<Job, TimelineEntry> tell)
    {
        var after = job with { State = JobState.DeadLettered, Fault = fault, FaultClass = faultClass };
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
            Entry = tell(after),
            DeadLetter = letter,
            Outbox = [Copy(letter, around)],
        };
    }

    private static OutboxMessage Copy(DeadLetter letter, Surroundings around) => new()
    {
        MessageId = letter.DeadLetterId,
        Exchange = Exchanges.DeadLetter,
        RoutingKey = $"{letter.Owner}.{letter.Topic}",
        Mandatory = true,
        Type = MessageTypes.DeadLetter,
        Body = JsonSerializer.SerializeToUtf8Bytes(
            new DeadLetterCopy
            {
                DeadLetterId = letter.DeadLetterId,
                JobId = letter.JobId!.Value,
                Topic = letter.Topic,
                Principal = letter.Principal,
                Owner = letter.Owner,
                FaultClass = letter.FaultClass,
                Fault = letter.Fault,
                Attempt = letter.Attempt,
                At = Timestamps.At(around.Now),
            },
            WireJson.Default.DeadLetterCopy),
    };

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
            : (JsonSerializer.SerializeToUtf8Bytes(new { truncated = true, bytes = bytes.Length, preview = Head(text, LargestResult / 8) }), true);
    }

    internal static Fault Capped(Fault fault) => fault with
    {
        Type = Cut(fault.Type, 256),
        Message = Cut(fault.Message, 4_096),
        Code = fault.Code is null ? null : Cut(fault.Code, 64),
    };

    /// <summary>Short enough, and without what PostgreSQL cannot store.</summary>
    internal static string Cut(string text, int longest) => Head(text, longest).Replace('\0', '?');

    /// <summary>The beginning, never half of a surrogate pair.</summary>
    private static string Head(string text, int longest) => text.Length <= longest ? text : text[..(char.IsHighSurrogate(text[longest - 1]) ? longest - 1 : longest)];
}
