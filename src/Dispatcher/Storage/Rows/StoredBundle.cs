namespace Dispatcher.Storage.Rows;

/// <summary>
/// A bundle that was activated. It is kept by its hash, so that every process can load it and old decisions can be explained.
/// </summary>
internal sealed record StoredBundle
{
    public required string Hash { get; init; }
    public required byte[] Archive { get; init; }
    public long FirstActivatedAt { get; init; }
}

/// <summary>The one row that names the bundle in force.</summary>
internal sealed record BundleInForce
{
    /// <summary>Grows by one with every activation.</summary>
    public long Serial { get; init; }
    public required string Hash { get; init; }
    public long ActivatedAt { get; init; }
    public required string Actor { get; init; }

    /// <summary>Whether a person pinned it: no policy folder can replace it until it is unpinned.</summary>
    public bool Pinned { get; init; }
}
