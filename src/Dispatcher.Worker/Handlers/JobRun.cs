using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Worker.Effects;

namespace Dispatcher.Worker;

/// <summary>One claimed attempt of a job, as its handler gets it.</summary>
public sealed class JobRun
{
    /// <summary>The id of the job.</summary>
    public required Guid JobId { get; init; }

    /// <summary>The number of the attempt, from 1. A later attempt fences all earlier ones.</summary>
    public required int Attempt { get; init; }

    /// <summary>The id of the claim. It entitles the worker to report the outcome of this attempt.</summary>
    public required Guid RunId { get; init; }

    /// <summary>The pool that this worker serves, for example <c>shell</c>.</summary>
    public required string Pool { get; init; }

    /// <summary>The job's topic, for example <c>job.exec.shell</c>.</summary>
    public required string Topic { get; init; }

    /// <summary>The subject that submitted the job.</summary>
    public required string Principal { get; init; }

    /// <summary>The job's labels; empty when it has none.</summary>
    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    /// <summary>The job's payload as submitted.</summary>
    public required JsonElement Payload { get; init; }

    /// <summary>
    /// The limits that the decision puts on the run. A null member sets no limit. The library enforces <c>timeout_ms</c> and
    /// <c>max_output_bytes</c>; the handler enforces the others.
    /// </summary>
    public required Constraints Constraints { get; init; }

    /// <summary>
    /// The most output that is kept, in bytes of UTF-8: the lower of the constraint and <see cref="WorkerOptions.MaxOutputBytes"/>.
    /// </summary>
    public required int MaxOutputBytes { get; init; }

    /// <summary>Whether the registry declares the topic <c>idempotent</c>: two runs of the job do no more harm than one.</summary>
    public required bool Idempotent { get; init; }

    /// <summary>SHA-256 of the job's content, 64 hex digits: the same for every attempt.</summary>
    public required string JobHash { get; init; }

    /// <summary>The hash of the policy bundle that allowed this attempt, 64 hex digits.</summary>
    public required string PolicyHash { get; init; }

    /// <summary>Guards side effects, so that each happens once over all attempts.</summary>
    public required RunEffects Effects { get; init; }
}
