using System.Buffers.Binary;
using System.Security.Cryptography;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Policies.Model;

namespace Dispatcher.Recovery;

/// <summary>What becomes of a job whose attempt came to nothing.</summary>
internal enum RecoveryAction
{
    /// <summary>Another attempt, after a pause.</summary>
    Retry,

    /// <summary>It is set aside, for its owner.</summary>
    DeadLetter,

    /// <summary>It ends, as somebody has asked.</summary>
    Cancel,
}

/// <summary>A named action, and what led to it.</summary>
/// <param name="Action">What follows.</param>
/// <param name="FaultClass">One of <see cref="FaultClasses"/>.</param>
/// <param name="Why">Why there is no other attempt, or why there is one, in words for the timeline.</param>
/// <param name="Pause">How long the next attempt waits. Zero unless there is one.</param>
internal sealed record RecoveryDecision(RecoveryAction Action, string FaultClass, string Why, TimeSpan Pause = default);

/// <summary>Decides what follows a fault. Pure: the same job, fault, registry entry and time give the same decision. In doubt nothing is run again.</summary>
internal static class RecoveryPolicy
{
    private static readonly TimeSpan LongestWish = TimeSpan.FromDays(365);

    /// <param name="job">The job as it was while it ran.</param>
    /// <param name="fault">What the worker reported, or what is said of a worker that was not heard of.</param>
    /// <param name="jobClass">The registry's entry of its topic. Null: there is none now, and nothing is run again.</param>
    /// <param name="now">Microseconds since 1970 by the database's clock.</param>
    public static RecoveryDecision Decide(Job job, Fault fault, JobClass? jobClass, long now)
    {
        var verdict = Classify(fault, jobClass);
        if (job.CancelRequested && (verdict.MayRepeat || fault.Code == FaultCodes.Cancelled))
        {
            return new RecoveryDecision(RecoveryAction.Cancel, verdict.FaultClass, "it was cancelled");
        }

        var pause = Pause(job, fault, jobClass);
        return WhyNoMore(job, verdict, jobClass, now, pause) is { } why
            ? new RecoveryDecision(RecoveryAction.DeadLetter, verdict.FaultClass, why)
            : new RecoveryDecision(RecoveryAction.Retry, verdict.FaultClass, verdict.Why, pause);
    }

    /// <summary>The table of <c>policies/README.md</c>, "Faults", in its order.</summary>
    private static Class Classify(Fault fault, JobClass? jobClass)
    {
        var idempotent = jobClass?.Idempotent == true;
        return fault switch
        {
            { Code: FaultCodes.BadResult, Class: FaultClasses.Terminal } => Told(false, false, ""),
            { Code: FaultCodes.InDoubt } => new Class(
                FaultClasses.InDoubt,
                false,
                "an effect was begun, and nobody knows whether it happened"
            ),
            { Code: FaultCodes.Timeout, Class: null } => new Class(FaultClasses.Timeout, idempotent, "the run reached its limit"),
            { Code: FaultCodes.WorkerLost or FaultCodes.WorkerStopping, Class: null } when !idempotent => new Class(
                FaultClasses.InDoubt,
                false,
                "its worker went away, and nobody knows what it had done"
            ),
            { Code: FaultCodes.WorkerLost, Class: null } => new Class(FaultClasses.Lost, true, "its worker went away"),
            { Code: FaultCodes.WorkerStopping, Class: null } => new Class(FaultClasses.Transient, true, "its worker was stopped"),
            _ when jobClass?.Faults.IsTransient(fault.Code, fault.Type) is { } mayPass => Told(
                mayPass,
                mayPass,
                "the topic's table of faults says so"
            ),
            { Class: FaultClasses.Transient or FaultClasses.Terminal } => Told(
                fault.Class == FaultClasses.Transient,
                jobClass is not null,
                "the handler says so"
            ),
            _ when FaultTable.Defaults.IsTransient(fault.Code, fault.Type) is { } mayPass => Told(
                mayPass,
                idempotent,
                "such faults may pass"
            ),
            _ => new Class(FaultClasses.Unknown, idempotent, "nobody knows of this fault whether it passes"),
        };
    }

    private static Class Told(bool mayPass, bool mayRepeat, string why) =>
        mayPass ? new Class(FaultClasses.Transient, mayRepeat, why) : new Class(FaultClasses.Terminal, false, "such a fault does not pass");

    /// <summary>Null: another attempt is right.</summary>
    private static string? WhyNoMore(Job job, Class verdict, JobClass? jobClass, long now, TimeSpan pause)
    {
        if (!verdict.MayRepeat || jobClass is null)
        {
            return verdict.FaultClass is FaultClasses.Terminal or FaultClasses.InDoubt ? verdict.Why
                : jobClass is null ? "its topic is not in the registry now"
                : $"{verdict.Why}, and its topic is not idempotent";
        }

        if (verdict.FaultClass == FaultClasses.Unknown && job.FaultClass == FaultClasses.Unknown)
        {
            return "it was tried once more, and failed again";
        }

        // A lost attempt says little of the job until one that ran alone is lost too: PoolCapacity sees to that for the last one.
        var mayBeAnothersFault = verdict.FaultClass == FaultClasses.Lost && job.FaultClass != FaultClasses.Lost && jobClass.MaxAttempts > 1;
        if (job.FailedAttempts + 1 >= jobClass.MaxAttempts && !mayBeAnothersFault)
        {
            return $"it was the last of {jobClass.MaxAttempts} attempts";
        }

        var next = now + Timestamps.Micros(pause);
        return next >= job.OverallDeadline ? "the next attempt would begin after the topic's overall limit"
            : next >= job.NotAfter ? "the next attempt would begin after not_after"
            : null;
    }

    /// <summary>Half of it doubles with each attempt; the other half, as long at most, varies with the job, so that jobs which failed together do not come back together.</summary>
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
        var wish = TimeSpan.FromMilliseconds(Math.Clamp(fault.RetryAfterMs ?? 0, 0, (long)LongestWish.TotalMilliseconds));
        return (half > wish ? half : wish) + (half * Share(job));
    }

    /// <summary>From 0 to 1, the same for the same attempt of the same job.</summary>
    private static double Share(Job job)
    {
        Span<byte> name = stackalloc byte[20];
        job.JobId.TryWriteBytes(name);
        BinaryPrimitives.WriteInt32BigEndian(name[16..], job.Attempt);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(name, hash);
        return BinaryPrimitives.ReadUInt32BigEndian(hash) / (double)uint.MaxValue;
    }

    private readonly record struct Class(string FaultClass, bool MayRepeat, string Why);
}
