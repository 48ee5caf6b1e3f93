namespace Dispatcher.Policies.Model;

/// <summary>The registry entry of a topic, from <c>topics.yaml</c>.</summary>
public sealed record JobClass
{
    /// <summary>2 to 8 dot-separated segments of <c>[a-z0-9_-]</c>, at most 128 characters, for example <c>job.exec.shell</c>.</summary>
    public required string Topic { get; init; }

    /// <summary>Name of the pool whose workers run it.</summary>
    public required string Pool { get; init; }

    /// <summary>The team that owns the dead letters of the topic, <c>[a-z0-9_-]{1,64}</c>.</summary>
    public required string Owner { get; init; }

    /// <summary>
    /// <c>low</c>, <c>medium</c> or <c>high</c>. Default: <c>high</c>, so that an incomplete entry gets the strictest checks.
    /// </summary>
    public required string Risk { get; init; }

    /// <summary>Risk tags of every job of this topic, in addition to those that the producer states. Sorted. Default: none.</summary>
    public required IReadOnlyList<string> Tags { get; init; }

    /// <summary>Risk tags whose absence is definite instead of unknown. Sorted. Default: none.</summary>
    public required IReadOnlyList<string> OptionalTags { get; init; }

    /// <summary>
    /// The topic's labels by name, enumerated in ordinal order. The producer states a label that is not listed, with any value.
    /// </summary>
    public required IReadOnlyDictionary<string, LabelSpec> Labels { get; init; }

    /// <summary>How long a dispatched attempt may wait for a worker's claim, 1 s to 24 h. Default: 60 s.</summary>
    public required TimeSpan StartWithin { get; init; }

    /// <summary>
    /// How long a run may take, 100 ms to the registry's <c>longest_run</c>. Default: 2 min. A <c>timeout_ms</c> constraint tightens it.
    /// </summary>
    public required TimeSpan RunWithin { get; init; }

    /// <summary>The interval between heartbeats of a worker, 100 ms to 1 h. Default: 5 s.</summary>
    public required TimeSpan HeartbeatEvery { get; init; }

    /// <summary>
    /// How long all attempts may take together, from the first claim, 1 s to 7 d. Default: 24 h. Time spent waiting for approval, in the
    /// backlog or for a worker does not count.
    /// </summary>
    public required TimeSpan OverallWithin { get; init; }

    /// <summary>Whether a second run does no harm, so that a lost attempt may be retried. Default: false.</summary>
    public required bool Idempotent { get; init; }

    /// <summary>The maximum number of attempts of a job, 1 to 100. Default: 3.</summary>
    public required int MaxAttempts { get; init; }

    /// <summary>The pause after the first failed attempt, 1 ms to 1 h. It doubles with each further one. Default: 1 s.</summary>
    public required TimeSpan FirstPause { get; init; }

    /// <summary>
    /// The longest pause between attempts, up to 24 h, unless the fault itself requests a longer one. Default: 5 min, or the first pause if
    /// that is longer.
    /// </summary>
    public required TimeSpan LongestPause { get; init; }

    /// <summary>
    /// The topic's classification of faults. It takes precedence over the handler's, and that over <see cref="FaultTable.Defaults"/>.
    /// </summary>
    public required FaultTable Faults { get; init; }

    /// <summary>
    /// The file under <c>schemas/</c> against which payloads are checked, for example <c>exec-shell.json</c>. Null: payloads are not
    /// checked.
    /// </summary>
    public string? Schema { get; init; }
}

/// <summary>A group of workers that share a queue.</summary>
public sealed record Pool
{
    /// <summary><c>[a-z0-9_-]{1,64}</c>, for example <c>shell</c>.</summary>
    public required string Name { get; init; }

    /// <summary>
    /// The constraints that its workers enforce, for example <c>timeout_ms</c>. Sorted. A job with any other constraint is denied.
    /// </summary>
    public required IReadOnlyList<string> Enforcers { get; init; }

    /// <summary>File and line of its entry.</summary>
    internal string Where { get; init; } = "";

    /// <summary>The entry has errors, so the pool may enforce more than is listed. Only lint uses such a pool.</summary>
    internal bool IsBroken { get; init; }
}
