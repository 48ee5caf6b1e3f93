using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Storage;

/// <summary>
/// What must be conditional or fast. One method is one transaction. PostgreSQL and SQLite give the same results; one contract suite holds both to it.
/// Ids within one batch are distinct: the group commit sees to that.
/// </summary>
internal interface IStore
{
    /// <summary>The database's clock, microseconds since 1970.</summary>
    Task<long> NowAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Stores new jobs and denials with their timeline and messages, each unless its id or key is known or its bundle is no longer in force.
    /// <paramref name="packed"/> is sent in any case: it only signals the dispatch of their pools.
    /// </summary>
    Task<Committed> AcceptAsync(IReadOnlyList<Acceptance> batch, OutboxMessage? packed, CancellationToken cancellationToken);

    /// <summary>
    /// Applies each move whose row still has the version that was read and whose bundle, if it names one, is still in force. A dispatch
    /// must also be confirmed by the
    /// timeline; see <see cref="TimelineEvidence"/>.
    /// </summary>
    Task<Committed> MoveAsync(IReadOnlyList<Move> batch, CancellationToken cancellationToken);

    /// <summary>The same for one move within the transaction that <paramref name="db"/> has open: it is committed, or not, by whoever began it.</summary>
    Task<Committed> MoveAsync(DispatcherDb db, Move move, CancellationToken cancellationToken);

    /// <summary>Keeps what could not be read, with its messages. One whose dead letter is known already changes nothing.</summary>
    Task RefuseAsync(IReadOnlyList<Refusal> batch, CancellationToken cancellationToken);

    /// <summary>Writes lines and messages that come with no change of state.</summary>
    Task RecordAsync(IReadOnlyList<TimelineEntry> entries, IReadOnlyList<OutboxMessage> messages, CancellationToken cancellationToken);

    /// <summary>
    /// Jobs whose time has come, without their payloads, each postponed in the same step so that no other process takes it at once.
    /// </summary>
    Task<IReadOnlyList<Job>> TakeDueAsync(int limit, TimeSpan postpone, CancellationToken cancellationToken);

    /// <summary>Extends the leases of these runs, as far as they are still theirs and belong to <paramref name="claimedBy"/>; answers those it found, and whether they shall stop.</summary>
    Task<IReadOnlyList<ExtendedLease>> ExtendLeasesAsync(IReadOnlyList<Run> runs, string claimedBy, CancellationToken cancellationToken);

    /// <summary>
    /// Waits until nobody else, of any process, dispatches from the line of this pool, and keeps others from it until disposed, or for <paramref name="longest"/>: a process that
    /// stands still must not hold up all others.
    /// </summary>
    Task<IAsyncDisposable> LockPoolAsync(string pool, TimeSpan longest, CancellationToken cancellationToken);

    /// <summary>Messages whose time has come, each postponed in the same step.</summary>
    Task<IReadOnlyList<OutboxMessage>> TakeOutboxAsync(int limit, TimeSpan postpone, CancellationToken cancellationToken);

    /// <summary>Removes what was sent. May be lost in a crash of the database: then it is sent twice, which is harmless.</summary>
    Task DeleteOutboxAsync(IReadOnlyList<Guid> messageIds, CancellationToken cancellationToken);

    /// <summary>Notes that a message could not be sent: it is tried again after <paramref name="pause"/>, or parked when that is null.</summary>
    Task DeferOutboxAsync(Guid messageId, string error, TimeSpan? pause, CancellationToken cancellationToken);

    /// <summary>
    /// Changes which bundle is in force. Waits until no statement that compares with the old one is under way; then nobody else can change the row, and
    /// <paramref name="decide"/> is given it (null: none yet) and answers what to write, or null for nothing. Answers what was written.
    /// </summary>
    Task<Activation?> ActivateAsync(Func<BundleInForce?, Activation?> decide, CancellationToken cancellationToken);
}

/// <summary>Which of a batch were committed, and the bundle that was in force then; empty: none.</summary>
internal sealed record Committed(IReadOnlySet<Guid> Jobs, string ActiveHash)
{
    /// <summary>Jobs that were not dispatched because the timeline names another job hash, or no approval of it that can be used.</summary>
    public IReadOnlySet<Guid> Contradicted { get; init; } = new HashSet<Guid>();
}

/// <summary>A run whose lease was extended.</summary>
internal sealed record ExtendedLease(Guid RunId, bool CancelRequested);
