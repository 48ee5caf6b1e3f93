namespace Dispatcher.Worker.Effects;

/// <summary>An earlier attempt began this effect and never said how it ended. Reported as terminal fault <c>in_doubt</c>: a person decides.</summary>
public sealed class EffectInDoubtException(string key, int attempt)
    : Exception(
        $"Effect '{key}' was begun in attempt {attempt} and it is not known whether it happened. Find out; if it must be done again, hand the job in under a new id."
    )
{
    /// <summary>The effect's key within the job.</summary>
    public string Key { get; } = key;
}

/// <summary>The run lost its lease, has ended, or a later attempt has begun: it must cause nothing any more.</summary>
public sealed class FencedException(Guid jobId, int attempt)
    : Exception($"Attempt {attempt} of job {jobId} is fenced or over: its effects are refused.");

/// <summary>The pool has no effect store (<see cref="WorkerOptions.EffectStore"/>), so nothing can be guarded. Reported as terminal fault <c>effects_unavailable</c>.</summary>
public sealed class EffectsUnavailableException()
    : Exception("This job has a side effect, and the pool has no effect store to guard it: set EffectStore.");

/// <summary>Thrown by an effect's action to say that the effect surely did not happen, for example since the connection was refused: it may be tried again. The inner exception becomes the fault.</summary>
public sealed class EffectNotDoneException(Exception reason) : Exception(reason.Message, reason)
{
    /// <summary>What kept the effect from happening.</summary>
    public Exception Reason { get; } = reason;
}
