namespace Dispatcher.Audit.Verification;

/// <summary>What a check found. Sealed and signed is what it says it is; complete is another question.</summary>
internal sealed record AuditReport
{
    /// <summary>Whether nothing is wrong, of both.</summary>
    public bool Ok => Finding is null && Incomplete == 0;

    /// <summary>The first bad entry. Null: none.</summary>
    public required Finding? Finding { get; init; }

    /// <summary>Entries that do not fit, the first among them; those after it may be its consequence.</summary>
    public required long Bad { get; init; }

    public required long Sealed { get; init; }

    public required long Unsealed { get; init; }

    /// <summary>Checkpoints that were compared, of the database and of files.</summary>
    public required int Checkpoints { get; init; }

    public required int CheckpointsOfFiles { get; init; }

    /// <summary>Whether their signatures were checked too.</summary>
    public required bool Signatures { get; init; }

    public required long Dispatches { get; init; }

    public required long HighRisk { get; init; }

    public required long Incomplete { get; init; }

    /// <summary>The first of them.</summary>
    public required IReadOnlyList<IncompleteJob> IncompleteJobs { get; init; }

    /// <summary>What this check could not exclude.</summary>
    public required IReadOnlyList<string> Notes { get; init; }
}

/// <summary>Reads a history once, from the first line to the last, and checks all there is to check. The same for a database and an export.</summary>
internal sealed class HistoryCheck(TrustedCheckpoints trusted)
{
    private readonly SealCheck _seals = new();
    private readonly CheckpointCheck _checkpoints = new(trusted.Keys);
    private readonly Completeness _completeness = new();
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

        await foreach (var line in history.LinesAsync(cancellationToken))
        {
            Add(line);
        }

        if (_seals.HasEveryNumber)
        {
            _checkpoints.Finish();
        }

        _hasRows = history.HasRows;
        await foreach (var gap in history.RowsBesideTheirTimelineAsync(cancellationToken))
        {
            _completeness.Add(gap);
        }

        return Report();
    }

    private void Add(HistoryEntry line)
    {
        _seals.Add(line);
        if (line.Seal is not { } seal)
        {
            return;
        }

        // Once a number is missing, no tree can have the root that was signed: the finding is the number.
        if (_seals.HasEveryNumber)
        {
            _checkpoints.Add(seal.Hash);
        }

        if (line.Entry is { } entry)
        {
            _completeness.Add(seal.Seq, seal.JobPrevious == 0, entry);
        }
    }

    private AuditReport Report() =>
        new()
        {
            // What the seals show names an entry; what a checkpoint shows, only a range.
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
            yield return "No checkpoint file was given: that the database's owner wrote the whole history and its checkpoints anew, or cut its end, cannot be excluded.";
        }

        if (trusted.Unreadable.Count > 0)
        {
            yield return $"{trusted.Unreadable.Count} lines of checkpoint files cannot be read, the first at {trusted.Unreadable[0]}.";
        }

        if (trusted.Keys.Count == 0)
        {
            yield return "No public key was given: the signatures of checkpoints were not checked.";
        }

        if (!_hasRows)
        {
            yield return "An export has no rows: jobs, results, approvals, denials, dead letters and bundles were not compared with the timeline. "
                + "Check the database for that.";
        }

        if (_seals.Unsealed > 0)
        {
            yield return $"{_seals.Unsealed} entries are not sealed yet: nothing vouches for them.";
        }
    }
}
