using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Dispatcher.Dispatching;

/// <summary>How much work a pool gets, and when the circuit breaker limits it. Section <c>Dispatch</c>.</summary>
internal sealed class DispatchOptions
{
    /// <summary>
    /// How many times its registered capacity a pool may have dispatched and unclaimed. Default 4: a worker whose runs take a few
    /// milliseconds never waits for the next one. As many as workers claim in 250 ms are allowed if that is more. It applies only while
    /// runs are short: work that would wait behind long runs stays in the backlog.
    /// </summary>
    [Range(1, 16)]
    public int WindowMultiple { get; set; } = 4;

    /// <summary>
    /// The part of a pool's attempts that may fail before the circuit breaker limits the pool. Default 0.7: with a smaller part the
    /// called system still works for many jobs, and only the others fail. Only transient faults, timeouts and lost workers count.
    /// </summary>
    [Range(0.05, 1)]
    public double BreakAt { get; set; } = 0.7;

    /// <summary>
    /// Number of ended attempts after which the circuit breaker compares them with <c>BreakAt</c>. A small pool needs fewer: twice its
    /// size, at least 4. They must end within 10 s, or within twice the longest run if that is longer. Default 10: fewer attempts are not
    /// a reliable sample.
    /// </summary>
    [Range(2, 1000)]
    public int BreakAfter { get; set; } = 10;
}

/// <summary>The ranges written on <see cref="DispatchOptions"/>.</summary>
[OptionsValidator]
internal sealed partial class DispatchOptionsValidator : IValidateOptions<DispatchOptions>;
