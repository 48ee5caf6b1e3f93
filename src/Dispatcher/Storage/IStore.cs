using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Storage;

/// <summary>
/// The conditional and the frequent operations of the store. One method is one transaction. PostgreSQL and SQLite give the same results;
/// the same tests run on both. The ids of one batch are distinct: <see cref="GroupCommit{TItem, TResult}"/> ensures it.
/// </summary>
internal interface IStore
{
    /// <summary>The database's clock, microseconds since 1970.</summary>
    Task<long> NowAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Stores new jobs and denials with their timeline entries and messages. Skips one whose id or key is known, and one whose bundle is no
    /// longer in force. <paramref name="signal"/> is stored in any case: it only signals the dispatch of the pools.
    /// </summary>
    Task<Committed> AcceptAsync(IReadOnlyList<Acceptance> batch, OutboxMessage? signal, CancellationToken cancellationToken);

    /// <summary>
    /// Applies each move whose row still has the version that was read and whose bundle, if it names one, is still in force. The timeline
    /// must confirm a dispatch and a claim, see <see cref="TimelineEvidence"/>. No freeze may stop a dispatch.
    /// </summary>
    Task<Committed> MoveAsync(IReadOnlyList<Move> batch, CancellationToken cancellationToken);

    /// <summary>Applies one move in the open transaction of <paramref name="db"/>. The caller commits it.</summary>
    Task<Committed> MoveAsync(DispatcherDb db, Move move, CancellationToken cancellationToken);

    /// <summary>Stores submissions that could not be read, with their messages. Skips one whose dead letter is known.</summary>
    Task RefuseAsync(IReadOnlyList<Refusal> batch, CancellationToken cancellationToken);

    /// <summary>Writes timeline entries and messages that go with no change of state.</summary>
    Task RecordAsync(IReadOnlyList<TimelineEntry> entries, IReadOnlyList<OutboxMessage> messages, CancellationToken cancellationToken);

    /// <summary>
    /// Takes jobs that are due, without their payloads. Each is postponed in the same step, so that no other process takes it as well.
    /// </summary>
    Task<IReadOnlyList<Job>> TakeDueAsync(int limit, TimeSpan postpone, CancellationToken cancellationToken);

    /// <summary>
    /// Extends the leases of the runs that are still current and belong to <paramref name="claimedBy"/>. Returns those runs, and whether
    /// each should stop.
    /// </summary>
    Task<IReadOnlyList<ExtendedLease>> ExtendLeasesAsync(IReadOnlyList<Run> runs, string claimedBy, CancellationToken cancellationToken);

    /// <summary>
    /// Locks the pool for dispatch: waits for the lock, and holds it until disposed. The lock ends after <paramref name="maxHold"/>, so
    /// that a process that hangs does not block the others.
    /// </summary>
    Task<IAsyncDisposable> LockPoolAsync(string pool, TimeSpan maxHold, CancellationToken cancellationToken);

    /// <summary>Takes messages that are due. Each is postponed in the same step.</summary>
    Task<IReadOnlyList<OutboxMessage>> TakeOutboxAsync(int limit, TimeSpan postpone, CancellationToken cancellationToken);

    /// <summary>
    /// Deletes sent messages. A crash of the database may undo it: they are then sent twice, and receivers drop the second.
    /// </summary>
    Task DeleteOutboxAsync(IReadOnlyList<Guid> messageIds, CancellationToken cancellationToken);

    /// <summary>Records that sending failed: the message is retried after <paramref name="pause"/>, or parked if that is null.</summary>
    Task DeferOutboxAsync(Guid messageId, string error, TimeSpan? pause, CancellationToken cancellationToken);

    /// <summary>
    /// Changes the bundle in force, exclusively: waits until no statement that compares with it is under way. Calls
    /// <paramref name="decide"/> with the bundle in force (null: none). Writes its result; null writes nothing. Returns what was written.
    /// </summary>
    Task<Activation?> ActivateAsync(Func<BundleInForce?, Activation?> decide, CancellationToken cancellationToken);

    /// <summary>
    /// Adds or ends a freeze, exclusively: waits until no dispatch is being committed, and every later one sees the change. Calls
    /// <paramref name="decide"/> with the freezes in force and the database's clock. Writes its result with a timeline entry; null writes
    /// nothing. Returns what was written.
    /// </summary>
    Task<FreezeChange?> ChangeFreezesAsync(Func<IReadOnlyList<Freeze>, long, FreezeChange?> decide, CancellationToken cancellationToken);
}

/// <summary>The ids of a batch that were committed, and the hash of the bundle that was in force then; empty: none.</summary>
internal sealed record Committed(IReadOnlySet<Guid> Jobs, string ActiveHash)
{
    /// <summary>Jobs whose dispatch or claim the timeline contradicts: they were not changed.</summary>
    public IReadOnlySet<Guid> Contradicted { get; init; } = new HashSet<Guid>();
}

/// <summary>A run whose lease was extended.</summary>
internal sealed record ExtendedLease(Guid RunId, bool CancelRequested);
