using Dispatcher.Jobs;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Audit.Verification;

/// <summary>One step of the history as a check reads it: a seal and its entry. Without a seal: an entry that waits for one. Without an entry: a seal whose entry is gone.</summary>
/// <param name="Seal">The seal, or null.</param>
/// <param name="JobPreviousHash">The hash of the seal that <see cref="TimelineSeal.JobPrevious"/> names; empty when it is 0 or there is none.</param>
/// <param name="Entry">The entry, or null.</param>
internal sealed record HistoryEntry(TimelineSeal? Seal, byte[] JobPreviousHash, TimelineEntry? Entry);

/// <summary>A history to check: from the database or from an export. First every checkpoint, then every seal in order with its entry, then what is not sealed.</summary>
internal interface IHistory : IAsyncDisposable
{
    IAsyncEnumerable<TimelineCheckpoint> CheckpointsAsync(CancellationToken cancellationToken);

    IAsyncEnumerable<HistoryEntry> LinesAsync(CancellationToken cancellationToken);

    /// <summary>Whether the rows can be compared: an export has none.</summary>
    bool HasRows { get; }

    /// <summary>Rows that are not what the timeline says of them, as far as this can be seen from here.</summary>
    IAsyncEnumerable<IncompleteJob> RowsBesideTheirTimelineAsync(CancellationToken cancellationToken);
}
