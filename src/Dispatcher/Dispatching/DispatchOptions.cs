using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Dispatcher.Dispatching;

/// <summary>How many jobs pools get. Section <c>Dispatch</c>.</summary>
internal sealed class DispatchOptions
{
    /// <summary>
    /// Maximum number of dispatched and unclaimed jobs of a pool, as a multiple of its registered capacity, 1 to 16. Default 4: a worker
    /// that takes a few milliseconds for a job never waits for the next one. It applies while runs are short; jobs that would have to wait
    /// for long runs stay in the backlog.
    /// </summary>
    [Range(1, 16)]
    public int WindowMultiple { get; set; } = 4;

    /// <summary>
    /// Share of failed attempts at which the circuit breaker of a pool limits it, 0.05 to 1. Default 0.7: below it, the faults are of
    /// single jobs.
    /// </summary>
    [Range(0.05, 1)]
    public double BreakAt { get; set; } = 0.7;

    /// <summary>Minimum number of attempts that ended within 10 s before the circuit breaker decides, 2 to 1,000. Default 10.</summary>
    [Range(2, 1000)]
    public int BreakAfter { get; set; } = 10;
}

/// <summary>The ranges written on <see cref="DispatchOptions"/>.</summary>
[OptionsValidator]
internal sealed partial class DispatchOptionsValidator : IValidateOptions<DispatchOptions>;
