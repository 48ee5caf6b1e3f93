using Dispatcher.Audit.Sealing;

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

    /// <summary>Number of sealed entries after the dropped days.</summary>
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
    private readonly RetentionCheck _retention = new(trusted.Keys);
    private readonly CompletenessCheck _completeness = new();
    private bool _hasRows;

    /// <summary>The last retention that counts, after the run. Null: no days were dropped.</summary>
    public Retention? Retention => _retention.Last;

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

        await foreach (var detail in history.RetentionsAsync(cancellationToken))
        {
            _retention.Add(detail);
        }

        StartAfterDropped();
        await foreach (var step in history.EntriesAsync(cancellationToken))
        {
            Add(step);
        }

        if (_seals.HasEveryNumber)
        {
            _checkpoints.Finish();
        }

        _retention.Finish();
        _hasRows = history.HasRows;
        await foreach (var gap in history.RowGapsAsync(cancellationToken))
        {
            _completeness.Add(gap);
        }

        return Report();
    }

    private void StartAfterDropped()
    {
        if (_retention.Last is { } retention)
        {
            _retention.Close(_checkpoints);
            _seals.StartAfter(retention);
            _checkpoints.StartAfter(retention, retention.Tree()!);
        }
    }

    private void Add(HistoryEntry step)
    {
        if (!_retention.Add(step))
        {
            AddToChain(step);
        }

        // The kept entries too: they hold the activations and the beginning of jobs that ended later.
        if (step is { Seal: { } seal, Entry: { } entry })
        {
            _completeness.Add(seal.Seq, seal.JobPrevious == 0, entry);
        }
    }

    private void AddToChain(HistoryEntry step)
    {
        _seals.Add(step);

        // After a missing number no checkpoint can match; the missing number is the finding.
        if (step.Seal is { } seal && _seals.HasEveryNumber)
        {
            _checkpoints.Add(seal.Hash);
        }
    }

    private AuditReport Report() =>
        new()
        {
            // A finding of the seals names an entry; a finding of a checkpoint names only a range.
            Finding = _seals.First ?? _retention.First ?? _checkpoints.First,
            Bad = _seals.Bad + (_retention.First is null ? 0 : 1) + (_checkpoints.First is null ? 0 : 1),
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

        if (_retention.Last is { } last)
        {
            yield return $"Entries up to number {last.Size}, of the days before {last.Before}, were dropped with \"dispatcher retain\"; "
                + $"{_retention.Kept} of them were kept.";
        }

        if (_retention.NotYetDropped > 0)
        {
            yield return $"{_retention.NotYetDropped} entries of dropped days are still stored and were not checked: the retention did not "
                + "end, or the job went on. Run \"dispatcher retain\" again.";
        }

        if (_seals.Unsealed > 0)
        {
            yield return $"{_seals.Unsealed} entries are not sealed yet and were not checked.";
        }
    }
}
