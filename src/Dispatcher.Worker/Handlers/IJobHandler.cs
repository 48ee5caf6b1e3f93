using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Dispatcher.Worker;

/// <summary>Runs the jobs of a topic. Created in a new scope for each run, so that scoped services live as long as the run.</summary>
public interface IJobHandler
{
    /// <summary>
    /// Does the work. A result means succeeded; an exception means faulted. A <see cref="JobFaultException"/> states the class of the
    /// fault.
    /// </summary>
    /// <param name="run">The job, its limits and its effects.</param>
    /// <param name="cancellationToken">
    /// Cancelled when the run must end: its time limit is reached, the job was cancelled, the lease is lost, or the worker stops. For a
    /// job that is not idempotent, only the dispatcher ends the lease. A handler that has not ended two seconds later is abandoned: its
    /// result is ignored and its effects are refused.
    /// </param>
    Task<JobResult> RunAsync(JobRun run, CancellationToken cancellationToken);
}

/// <summary>
/// The result of a run: any JSON value, or none. A value above the run's <see cref="JobRun.MaxOutputBytes"/> is cut and marked as
/// truncated. A value that is nested more than 60 levels deep, repeats a name in one object or has half a surrogate pair is reported
/// as the terminal fault <c>bad_result</c>.
/// </summary>
public sealed class JobResult
{
    private JobResult(JsonElement? value) => Value = value;

    /// <summary>Succeeded without a value.</summary>
    public static JobResult Nothing { get; } = new(null);

    /// <summary>The value as JSON. Null: none.</summary>
    public JsonElement? Value { get; }

    /// <summary>A result that is JSON already. The value is copied, so its document may be disposed.</summary>
    public static JobResult Of(JsonElement value) => new(value.Clone());

    /// <summary>A result from any value, for example an anonymous object. Property names are written unchanged.</summary>
    public static JobResult From<T>(T value) => new(JsonSerializer.SerializeToElement(value));

    /// <summary>A result from a value, written by its generated type info.</summary>
    public static JobResult From<T>(T value, JsonTypeInfo<T> typeInfo) => new(JsonSerializer.SerializeToElement(value, typeInfo));
}
