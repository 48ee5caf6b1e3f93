namespace Dispatcher.Storage.Rows;

/// <summary>
/// The seal of one timeline entry: its position in the history of the store, and a hash over the entry, the previous seal and the previous
/// seal of the same job. It is written about one second after the commit of the entry, never updated, and deleted only with
/// its entry by <c>dispatcher retain</c>.
/// </summary>
internal sealed record TimelineSeal
{
    /// <summary>1, 2, 3, … without a gap.</summary>
    public required long Seq { get; init; }

    /// <summary><c>EntryId</c> of the sealed timeline entry.</summary>
    public required long EntryId { get; init; }

    /// <summary>The job of the entry.</summary>
    public required Guid JobId { get; init; }

    /// <summary><see cref="Seq"/> of the previous seal of the same job. 0: it is the first seal of the job.</summary>
    public required long JobPrevious { get; init; }

    /// <summary>32 bytes, see <c>SealHash</c>.</summary>
    public required byte[] Hash { get; init; }
}
