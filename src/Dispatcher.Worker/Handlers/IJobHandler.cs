using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Dispatcher.Worker;

/// <summary>Runs the jobs of a topic. Taken from a scope of its own for each run, so that scoped services live as long as the run.</summary>
public interface IJobHandler
{
    /// <summary>
    /// Does the work. A result means succeeded; any exception means faulted, and <see cref="JobFaultException"/> says how to treat it.
    /// </summary>
    /// <param name="run">The job, its limits and its effects.</param>
    /// <param name="cancellationToken">
    /// Cancelled when the run must end: its limit is reached, the job was cancelled, the lease was lost (of a job that must not be repeated: only when the dispatcher says so), or the worker stops. A handler that has not ended two seconds
    /// later is abandoned: its result is ignored and its effects are refused.
    /// </param>
    Task<JobResult> RunAsync(JobRun run, CancellationToken cancellationToken);
}

/// <summary>
/// What a run produced: any JSON value, or nothing. A value over the run's <see cref="JobRun.MaxOutputBytes"/> is cut and marked. One
/// that is
/// nested more than 60 levels deep, has a name twice in one object or half a surrogate pair is reported as the terminal fault
/// <c>bad_result</c>.
/// </summary>
public sealed class JobResult
{
    private JobResult(JsonElement? value) => Value = value;

    /// <summary>Done, and nothing to tell.</summary>
    public static JobResult Nothing { get; } = new(null);

    /// <summary>The value as JSON. Null: nothing to tell.</summary>
    public JsonElement? Value { get; }

    /// <summary>A result that is JSON already. Copied: its document may be disposed of.</summary>
    public static JobResult Of(JsonElement value) => new(value.Clone());

    /// <summary>A result from any value, for example an anonymous object, written with the property names as they are.</summary>
    public static JobResult From<T>(T value) => new(JsonSerializer.SerializeToElement(value));

    /// <summary>A result from a value, written as its generated type info says.</summary>
    public static JobResult From<T>(T value, JsonTypeInfo<T> typeInfo) => new(JsonSerializer.SerializeToElement(value, typeInfo));
}
