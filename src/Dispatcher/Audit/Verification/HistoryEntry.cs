using Dispatcher.Jobs;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Audit.Verification;

/// <summary>
/// One step of the history as a check reads it: a seal and its entry. An entry without a seal is not sealed yet; a seal without an entry
/// has lost it.
/// </summary>
/// <param name="Seal">The seal, or null.</param>
/// <param name="JobPreviousHash">
/// The hash of the seal that <see cref="TimelineSeal.JobPrevious"/> names. Empty if it is 0 or that seal is missing.
/// </param>
/// <param name="Entry">The entry, or null.</param>
internal sealed record HistoryEntry(TimelineSeal? Seal, byte[] JobPreviousHash, TimelineEntry? Entry);

/// <summary>
/// A history to check, from the database or from an export. Read in this order: every checkpoint, every retention, every seal with its
/// entry, every unsealed entry.
/// </summary>
internal interface IHistory : IAsyncDisposable
{
    IAsyncEnumerable<TimelineCheckpoint> CheckpointsAsync(CancellationToken cancellationToken);

    /// <summary>The details of the entries that state which days were dropped. They are entries of the history, too.</summary>
    IAsyncEnumerable<byte[]> RetentionsAsync(CancellationToken cancellationToken);

    IAsyncEnumerable<HistoryEntry> EntriesAsync(CancellationToken cancellationToken);

    /// <summary>Whether the rows can be compared. An export has no rows.</summary>
    bool HasRows { get; }

    /// <summary>The differences between the rows and the timeline.</summary>
    IAsyncEnumerable<IncompleteJob> RowGapsAsync(CancellationToken cancellationToken);
}
