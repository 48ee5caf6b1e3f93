namespace Dispatcher.Audit.Verification;

/// <summary>The result of a check. An intact history may still be incomplete, so both are reported.</summary>
internal sealed record AuditReport
{
    /// <summary>Whether the history is intact and complete.</summary>
    public bool Ok => Finding is null && Incomplete == 0;

    /// <summary>The first bad entry. Null: the history is intact.</summary>
    public required Finding? Finding { get; init; }

    /// <summary>Number of bad entries, including the first. Those after it may be its consequence.</summary>
    public required long Bad { get; init; }

    public required long Sealed { get; init; }

    public required long Unsealed { get; init; }

    /// <summary>Number of compared checkpoints, from the database and from files.</summary>
    public required int Checkpoints { get; init; }

    public required int CheckpointsOfFiles { get; init; }

    /// <summary>Whether the signatures of the checkpoints were checked.</summary>
    public required bool Signatures { get; init; }

    public required long Dispatches { get; init; }

    public required long HighRisk { get; init; }

    public required long Incomplete { get; init; }

    /// <summary>The first gaps, at most <see cref="CompletenessCheck.MaxListed"/>.</summary>
    public required IReadOnlyList<IncompleteJob> IncompleteJobs { get; init; }

    /// <summary>The doubts that this check could not rule out.</summary>
    public required IReadOnlyList<string> Notes { get; init; }
}

/// <summary>
/// Reads a history once, from the first entry to the last, and runs every check. It works on a database and on an export.
/// </summary>
internal sealed class HistoryCheck(TrustedCheckpoints trusted)
{
    private readonly SealCheck _seals = new();
    private readonly CheckpointCheck _checkpoints = new(trusted.Keys);
    private readonly CompletenessCheck _completeness = new();
    private bool _hasRows;

    public async Task<AuditReport> RunAsync(IHistory history, CancellationToken cancellationToken)
    {
        foreach (var (checkpoint, source) in trusted.Checkpoints)
        {
            _checkpoints.Add(checkpoint, source);
        }

        await foreach (var checkpoint in history.CheckpointsAsync(cancellationToken))
        {
            _checkpoints.Add(checkpoint, "the history");
        }

        await foreach (var step in history.EntriesAsync(cancellationToken))
        {
            Add(step);
        }

        if (_seals.HasEveryNumber)
        {
            _checkpoints.Finish();
        }

        _hasRows = history.HasRows;
        await foreach (var gap in history.RowGapsAsync(cancellationToken))
        {
            _completeness.Add(gap);
        }

        return Report();
    }

    private void Add(HistoryEntry step)
    {
        _seals.Add(step);
        if (step.Seal is not { } seal)
        {
            return;
        }

        // After a missing number no checkpoint can match; the missing number is the finding.
        if (_seals.HasEveryNumber)
        {
            _checkpoints.Add(seal.Hash);
        }

        if (step.Entry is { } entry)
        {
            _completeness.Add(seal.Seq, seal.JobPrevious == 0, entry);
        }
    }

    private AuditReport Report() =>
        new()
        {
            // A finding of the seals names an entry; a finding of a checkpoint names only a range.
            Finding = _seals.First ?? _checkpoints.First,
            Bad = _seals.Bad + (_checkpoints.First is null ? 0 : 1),
            Sealed = _seals.Sealed,
            Unsealed = _seals.Unsealed,
            Checkpoints = _checkpoints.Compared,
            CheckpointsOfFiles = trusted.Checkpoints.Count,
            Signatures = trusted.Keys.Count > 0,
            Dispatches = _completeness.Dispatches,
            HighRisk = _completeness.HighRisk,
            Incomplete = _completeness.Incomplete,
            IncompleteJobs = _completeness.List,
            Notes = [.. Notes()],
        };

    private IEnumerable<string> Notes()
    {
        if (trusted.Checkpoints.Count == 0)
        {
            yield return "No checkpoint file was given: the owner of the database may have rewritten the whole history "
                + "and its checkpoints, or cut its end.";
        }

        if (trusted.Unreadable.Count > 0)
        {
            yield return $"{trusted.Unreadable.Count} lines of checkpoint files are unreadable, the first at {trusted.Unreadable[0]}.";
        }

        if (trusted.Keys.Count == 0)
        {
            yield return "No public key was given: the signatures of checkpoints were not checked.";
        }

        if (!_hasRows)
        {
            yield return "An export has no rows: jobs, results, approvals, denials, dead letters and bundles were not compared "
                + "with the timeline. Check the database for that.";
        }

        if (_seals.Unsealed > 0)
        {
            yield return $"{_seals.Unsealed} entries are not sealed yet and were not checked.";
        }
    }
}
