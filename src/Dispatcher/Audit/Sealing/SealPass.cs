namespace Dispatcher.Audit.Sealing;

/// <summary>The last seal. If <see cref="Seq"/> is 0, no entry is sealed yet and the hash is empty.</summary>
internal sealed record SealHead(long Seq, byte[] Hash, long LargestEntry);

/// <summary>The result of sealing one batch.</summary>
/// <param name="Entries">Ids of the sealed entries, in order; at most as many as the limit.</param>
/// <param name="Others">
/// Ids of the entries that other processes sealed since the last batch of this process. Null: this is its first batch, or its last seal is
/// no longer in the store.
/// </param>
/// <param name="Before">The last seal when the batch began.</param>
/// <param name="OldestLive">Every transaction before this one had ended when the batch began.</param>
/// <param name="NextTransaction">Later than every transaction that had begun when the batch began.</param>
internal sealed record SealPass(
    IReadOnlyList<long> Entries,
    IReadOnlyList<long>? Others,
    SealHead Before,
    long OldestLive,
    long NextTransaction
);
