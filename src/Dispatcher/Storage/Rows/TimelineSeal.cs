namespace Dispatcher.Storage.Rows;

/// <summary>
/// The seal of one timeline entry: its place in the one history of the store, and a hash that commits to the entry, to the seal before it and to the seal of
/// the job's line before it. Written after the entry's commit, about a second later; never updated, never deleted.
/// </summary>
internal sealed record TimelineSeal
{
    /// <summary>1, 2, 3, … without a gap.</summary>
    public required long Seq { get; init; }

    /// <summary>The entry that is sealed, see <c>EntryId</c> of the timeline.</summary>
    public required long EntryId { get; init; }

    /// <summary>The job of the entry.</summary>
    public required Guid JobId { get; init; }

    /// <summary><see cref="Seq"/> of the job's line before this one; 0: it is the job's first.</summary>
    public required long JobPrevious { get; init; }

    /// <summary>32 bytes, see <c>SealHash</c>.</summary>
    public required byte[] Hash { get; init; }
}
