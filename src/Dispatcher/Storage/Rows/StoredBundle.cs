namespace Dispatcher.Storage.Rows;

/// <summary>A bundle that was activated once, kept by hash so that every process can load it and an old decision can be explained.</summary>
internal sealed record StoredBundle
{
    public required string Hash { get; init; }
    public required byte[] Archive { get; init; }
    public long FirstActivatedAt { get; init; }
}

/// <summary>The one row that says which bundle is in force.</summary>
internal sealed record BundleInForce
{
    /// <summary>Grows with every activation.</summary>
    public long Serial { get; init; }
    public required string Hash { get; init; }
    public long ActivatedAt { get; init; }
    public required string Actor { get; init; }

    /// <summary>A person chose it, and no folder may change it until a person unpins it.</summary>
    public bool Pinned { get; init; }
}
