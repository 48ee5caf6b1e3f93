namespace Dispatcher.Storage.Rows;

/// <summary>
/// One server process, as it last reported itself. A clean stop deletes the row; the row of a killed process becomes stale.
/// </summary>
internal sealed record RunningProcess
{
    /// <summary>New for each start, because host and pid are reused.</summary>
    public required Guid InstanceId { get; init; }
    public required string Host { get; init; }
    public required int Pid { get; init; }
    public required string Version { get; init; }

    /// <summary>Hash of the bundle that it evaluates; empty: none.</summary>
    public required string PolicyHash { get; init; }

    /// <summary>Hash of the bundle in its policy folder. Null: the folder is invalid.</summary>
    public string? FolderHash { get; init; }
    public required int FolderErrors { get; init; }
    public long StartedAt { get; init; }
    public long SeenAt { get; init; }
}
