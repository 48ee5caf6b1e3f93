using System.Buffers.Binary;
using System.Security.Cryptography;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Policies.Model;

namespace Dispatcher.Recovery;

/// <summary>The actions after a failed attempt.</summary>
internal enum RecoveryAction
{
    /// <summary>Another attempt follows after a pause.</summary>
    Retry,

    /// <summary>The job is set aside for its owner.</summary>
    DeadLetter,

    /// <summary>The job ends, because its cancellation was requested.</summary>
    Cancel,
}

/// <summary>The action, and why it was chosen.</summary>
/// <param name="Action">The action.</param>
/// <param name="FaultClass">One of <see cref="FaultClasses"/>.</param>
/// <param name="Why">Why another attempt follows or not, in words for the timeline.</param>
/// <param name="Pause">The pause before the next attempt. Zero if there is none.</param>
internal sealed record RecoveryDecision(RecoveryAction Action, string FaultClass, string Why, TimeSpan Pause = default);

/// <summary>
/// Decides what follows a fault. Pure: the same job, fault, registry entry and time give the same decision. It fails closed: in doubt the
/// job is not run again.
/// </summary>
internal static class RecoveryPolicy
{
    private static readonly TimeSpan MaxRequestedPause = TimeSpan.FromDays(365);

    /// <param name="job">The job in state running.</param>
    /// <param name="fault">The fault that the worker reported, or the fault of a lost worker.</param>
    /// <param name="jobClass">The registry entry of the topic. Null: the topic is not registered now, and the job is not run again.</param>
    /// <param name="now">Microseconds since 1970 by the database's clock.</param>
    public static RecoveryDecision Decide(Job job, Fault fault, JobClass? jobClass, long now)
    {
        var verdict = Classify(fault, jobClass);
        if (job.CancelRequested && (verdict.MayRetry || fault.Code == FaultCodes.Cancelled))
        {
            return new RecoveryDecision(RecoveryAction.Cancel, verdict.FaultClass, "the job was cancelled");
        }

        var pause = Pause(job, fault, jobClass);
        return WhyNoRetry(job, verdict, jobClass, now, pause) is { } why
            ? new RecoveryDecision(RecoveryAction.DeadLetter, verdict.FaultClass, why)
            : new RecoveryDecision(RecoveryAction.Retry, verdict.FaultClass, verdict.Why, pause);
    }

    /// <summary>Classifies the fault by the table "Faults" of <c>policies/README.md</c>, in its order.</summary>
    private static Class Classify(Fault fault, JobClass? jobClass)
    {
        var idempotent = jobClass?.Idempotent == true;
        return fault switch
        {
            { Code: FaultCodes.BadResult, Class: FaultClasses.Terminal } => ByFault(false, false, ""),
            { Code: FaultCodes.InDoubt } => new Class(FaultClasses.InDoubt, false, "an effect was begun, and its end is not known"),
            { Code: FaultCodes.Timeout, Class: null } => new Class(FaultClasses.Timeout, idempotent, "the run reached its timeout"),
            { Code: FaultCodes.WorkerLost or FaultCodes.WorkerStopping, Class: null } when !idempotent => new Class(
                FaultClasses.InDoubt,
                false,
                "its worker was lost or stopped, and the effects of the run are not known"
            ),
            { Code: FaultCodes.WorkerLost, Class: null } => new Class(FaultClasses.Lost, true, "its worker was lost"),
            { Code: FaultCodes.WorkerStopping, Class: null } => new Class(FaultClasses.Transient, true, "its worker was stopped"),
            _ when jobClass?.Faults.IsTransient(fault.Code, fault.Type) is { } isTransient => ByFault(
                isTransient,
                isTransient,
                "the fault table of the topic lists it as transient"
            ),
            { Class: FaultClasses.Transient or FaultClasses.Terminal } => ByFault(
                fault.Class == FaultClasses.Transient,
                jobClass is not null,
                "the handler reported it as transient"
            ),
            _ when FaultTable.Defaults.IsTransient(fault.Code, fault.Type) is { } isTransient => ByFault(
                isTransient,
                idempotent,
                "faults of this type are transient"
            ),
            _ => new Class(FaultClasses.Unknown, idempotent, "the fault is not classified"),
        };
    }

    private static Class ByFault(bool isTransient, bool mayRetry, string why) =>
        isTransient ? new Class(FaultClasses.Transient, mayRetry, why) : new Class(FaultClasses.Terminal, false, "the fault is terminal");

    /// <summary>Why no other attempt may follow. Null: another attempt follows.</summary>
    private static string? WhyNoRetry(Job job, Class verdict, JobClass? jobClass, long now, TimeSpan pause)
    {
        if (!verdict.MayRetry || jobClass is null)
        {
            return verdict.FaultClass is FaultClasses.Terminal or FaultClasses.InDoubt ? verdict.Why
                : jobClass is null ? "the topic is not in the registry now"
                : $"{verdict.Why}, and the topic is not idempotent";
        }

        if (verdict.FaultClass == FaultClasses.Unknown && job.FaultClass == FaultClasses.Unknown)
        {
            return "the fault is not classified, and neither was the fault before it";
        }

        // A lost worker may be the fault of another job. PoolCapacity runs the last attempt alone; only its loss is attributed to this job.
        var mayBeAnothersFault = verdict.FaultClass == FaultClasses.Lost && job.FaultClass != FaultClasses.Lost && jobClass.MaxAttempts > 1;
        if (job.FailedAttempts + 1 >= jobClass.MaxAttempts && !mayBeAnothersFault)
        {
            return $"this was the last of {jobClass.MaxAttempts} attempts";
        }

        var next = now + Timestamps.Micros(pause);
        return next >= job.OverallDeadline ? "the next attempt would begin after the overall deadline"
            : next >= job.NotAfter ? "the next attempt would begin after not_after"
            : null;
    }

    /// <summary>
    /// The pause before the next attempt. One half doubles with each attempt, or is the pause that the fault requests. The other half
    /// varies with the job, so that jobs that failed together do not return together.
    /// </summary>
    private static TimeSpan Pause(Job job, Fault fault, JobClass? jobClass)
    {
        if (jobClass is null)
        {
            return TimeSpan.Zero;
        }

        var half =
            TimeSpan.FromSeconds(
                Math.Min(jobClass.FirstPause.TotalSeconds * Math.Pow(2, job.FailedAttempts), jobClass.LongestPause.TotalSeconds)
            ) / 2;
        var requested = TimeSpan.FromMilliseconds(Math.Clamp(fault.RetryAfterMs ?? 0, 0, (long)MaxRequestedPause.TotalMilliseconds));
        return (half > requested ? half : requested) + (half * Share(job));
    }

    /// <summary>A number from 0 to 1 that depends only on job id and attempt.</summary>
    private static double Share(Job job)
    {
        Span<byte> name = stackalloc byte[20];
        job.JobId.TryWriteBytes(name);
        BinaryPrimitives.WriteInt32BigEndian(name[16..], job.Attempt);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(name, hash);
        return BinaryPrimitives.ReadUInt32BigEndian(hash) / (double)uint.MaxValue;
    }

    private readonly record struct Class(string FaultClass, bool MayRetry, string Why);
}
