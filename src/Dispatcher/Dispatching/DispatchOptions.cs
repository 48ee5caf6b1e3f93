using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Dispatcher.Dispatching;

/// <summary>How much work pools are given. Section <c>Dispatch</c>.</summary>
internal sealed class DispatchOptions
{
    /// <summary>
    /// At most so many times a pool's registered capacity is dispatched and not claimed, 1 to 16. Default 4: a worker that takes a few milliseconds a job never waits for the
    /// next one. It only counts while runs are short; work that would have to wait for long runs stays with the dispatcher.
    /// </summary>
    [Range(1, 16)]
    public int WindowMultiple { get; set; } = 4;

    /// <summary>Part of the attempts of a pool that may come to nothing without the pool being given less, 0.05 to 1. Default 0.7: below that, jobs fail one by one.</summary>
    [Range(0.05, 1)]
    public double BreakAt { get; set; } = 0.7;

    /// <summary>So many attempts at least must have ended within 10 s before that is evaluated, 2 to 1,000. Default 10.</summary>
    [Range(2, 1000)]
    public int BreakAfter { get; set; } = 10;
}

/// <summary>The ranges written on <see cref="DispatchOptions"/>.</summary>
[OptionsValidator]
internal sealed partial class DispatchOptionsValidator : IValidateOptions<DispatchOptions>;
