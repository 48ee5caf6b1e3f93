namespace Dispatcher.Benchmarks.Contestants;

/// <summary>A variant of the product under test.</summary>
internal sealed record OursSetup
{
    /// <summary>Server processes, and as many worker processes.</summary>
    public int Processes { get; init; } = 1;

    /// <summary>Runs of a worker at a time. Null: the default of the worker library.</summary>
    public int? Concurrency { get; init; } = 64;

    /// <summary>Whether each job has one effect through <c>run.Effects.OnceAsync</c>.</summary>
    public bool Effect { get; init; }

    /// <summary>Topics of the bundle; the jobs are spread over them.</summary>
    public int Topics { get; init; } = 1;
}
