namespace Dispatcher.Policies.Model;

/// <summary>The registry entry of a topic, from <c>topics.yaml</c>.</summary>
public sealed record JobClass
{
    /// <summary>2 to 8 dot-separated segments of <c>[a-z0-9_-]</c>, at most 128 characters, for example <c>job.exec.shell</c>.</summary>
    public required string Topic { get; init; }

    /// <summary>Name of the pool whose workers run it.</summary>
    public required string Pool { get; init; }

    /// <summary>The team that owns its dead letters, <c>[a-z0-9_-]{1,64}</c>.</summary>
    public required string Owner { get; init; }

    /// <summary><c>low</c>, <c>medium</c> or <c>high</c>. Default: <c>high</c>, so that a forgotten entry is watched, not missed.</summary>
    public required string Risk { get; init; }

    /// <summary>Risk tags that every job of this topic has, whatever its producer says. Sorted. Default: none.</summary>
    public required IReadOnlyList<string> Tags { get; init; }

    /// <summary>Risk tags whose absence is a definite no instead of unknown. Sorted. Default: none.</summary>
    public required IReadOnlyList<string> OptionalTags { get; init; }

    /// <summary>The topic's labels by name, enumerated in ordinal order. A label that is not listed may have any value and is the producer's word.</summary>
    public required IReadOnlyDictionary<string, LabelSpec> Labels { get; init; }

    /// <summary>How long a dispatched attempt may wait for a worker's claim, 1 s to 24 h. Default: 60 s.</summary>
    public required TimeSpan StartWithin { get; init; }

    /// <summary>How long a run may take, 100 ms to the registry's <c>longest_run</c>. Default: 2 min. A <c>timeout_ms</c> constraint tightens it.</summary>
    public required TimeSpan RunWithin { get; init; }

    /// <summary>How often a worker says that it is alive, 100 ms to 1 h. Default: 5 s.</summary>
    public required TimeSpan HeartbeatEvery { get; init; }

    /// <summary>How long all attempts may take together, from the first claim, 1 s to 7 d. Default: 24 h. What is waited for people, in line or for a worker does not count.</summary>
    public required TimeSpan OverallWithin { get; init; }

    /// <summary>Whether running it twice does no harm, so that a lost attempt may be repeated. Default: false.</summary>
    public required bool Idempotent { get; init; }

    /// <summary>The most attempts a job gets, 1 to 100. Default: 3.</summary>
    public required int MaxAttempts { get; init; }

    /// <summary>The pause after the first attempt that failed, 1 ms to 1 h; it doubles with each further one. Default: 1 s.</summary>
    public required TimeSpan FirstPause { get; init; }

    /// <summary>The longest pause between attempts, unless the fault itself asks for a longer one; from the first up to 24 h. Default: 5 min, or the first if that is longer.</summary>
    public required TimeSpan LongestPause { get; init; }

    /// <summary>The topic's own word on faults. It goes before the handler's, and that before <see cref="FaultTable.Defaults"/>.</summary>
    public required FaultTable Faults { get; init; }

    /// <summary>The file under <c>schemas/</c> that payloads must fit, for example <c>exec-shell.json</c>. Null: payloads are not checked.</summary>
    public string? Schema { get; init; }
}

/// <summary>A group of workers with a queue of its own.</summary>
public sealed record Pool
{
    /// <summary><c>[a-z0-9_-]{1,64}</c>, for example <c>shell</c>.</summary>
    public required string Name { get; init; }

    /// <summary>The constraints that its workers enforce, for example <c>timeout_ms</c>. Sorted. A job with another one is denied.</summary>
    public required IReadOnlyList<string> Enforcers { get; init; }

    /// <summary>File and line of its entry.</summary>
    internal string Where { get; init; } = "";

    /// <summary>It may enforce more than it says, because something is wrong with it. Only lint ever sees such a pool.</summary>
    internal bool IsBroken { get; init; }
}
