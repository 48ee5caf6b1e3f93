namespace Dispatcher.Worker.Effects;

/// <summary>
/// An earlier attempt began this effect, and its end is unknown. Reported as terminal fault <c>in_doubt</c>, for a person to decide.
/// </summary>
public sealed class EffectInDoubtException(string key, int attempt)
    : Exception(
        $"Effect '{key}' was begun in attempt {attempt}, and it is unknown whether it happened. Check the target; "
            + "if the effect must be done again, submit the job under a new id."
    )
{
    /// <summary>The effect's key within the job.</summary>
    public string Key { get; } = key;
}

/// <summary>The run has lost its lease or has ended, or a later attempt has begun. It must have no further effect.</summary>
public sealed class FencedException(Guid jobId, int attempt)
    : Exception($"Attempt {attempt} of job {jobId} is fenced or has ended: its effects are refused.");

/// <summary>
/// The pool has no effect store (<see cref="WorkerOptions.EffectStore"/>) to guard an effect. Reported as terminal fault
/// <c>effects_unavailable</c>.
/// </summary>
public sealed class EffectsUnavailableException()
    : Exception("This job has a side effect, and the pool has no effect store to guard it: set EffectStore of the worker.");

/// <summary>
/// Thrown by the action of an effect that surely did not happen, for example because the connection was refused. The effect may be
/// tried again. The inner exception becomes the fault.
/// </summary>
public sealed class EffectNotDoneException(Exception reason) : Exception(reason.Message, reason)
{
    /// <summary>Why the effect did not happen.</summary>
    public Exception Reason { get; } = reason;
}
