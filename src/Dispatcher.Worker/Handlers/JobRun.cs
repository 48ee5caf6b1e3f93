using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Worker.Effects;

namespace Dispatcher.Worker;

/// <summary>One claimed attempt of one job, as its handler sees it.</summary>
public sealed class JobRun
{
    /// <summary>The job.</summary>
    public required Guid JobId { get; init; }

    /// <summary>The attempt, from 1. A later attempt fences all earlier ones.</summary>
    public required int Attempt { get; init; }

    /// <summary>The right to report this attempt's outcome.</summary>
    public required Guid RunId { get; init; }

    /// <summary>The pool this worker serves, for example <c>shell</c>.</summary>
    public required string Pool { get; init; }

    /// <summary>The job's topic, for example <c>job.exec.shell</c>.</summary>
    public required string Topic { get; init; }

    /// <summary>Who handed the job in.</summary>
    public required string Principal { get; init; }

    /// <summary>The job's labels; empty when it has none.</summary>
    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    /// <summary>The job's payload as handed in.</summary>
    public required JsonElement Payload { get; init; }

    /// <summary>The limits of the decision; a null member means not limited. <c>timeout_ms</c> and <c>max_output_bytes</c> are enforced here, the others by the handler.</summary>
    public required Constraints Constraints { get; init; }

    /// <summary>The most output that is kept, in bytes of UTF-8: the tighter of the constraint and <see cref="WorkerOptions.MaxOutputBytes"/>.</summary>
    public required int MaxOutputBytes { get; init; }

    /// <summary>Whether the registry says that running the job twice does no harm.</summary>
    public required bool Idempotent { get; init; }

    /// <summary>SHA-256 of the job's content, 64 hex digits: the same for every attempt.</summary>
    public required string JobHash { get; init; }

    /// <summary>The bundle that allowed this attempt, 64 hex digits.</summary>
    public required string PolicyHash { get; init; }

    /// <summary>Guards side effects, so that they happen once over all attempts.</summary>
    public required RunEffects Effects { get; init; }
}
