namespace Dispatcher.Storage.Rows;

/// <summary>One server process, as it last said of itself. The row goes when the process stops in order; that of one that was killed grows old.</summary>
internal sealed record RunningProcess
{
    /// <summary>Made at the start of the process: host and pid come again.</summary>
    public required Guid InstanceId { get; init; }
    public required string Host { get; init; }
    public required int Pid { get; init; }
    public required string Version { get; init; }

    /// <summary>The bundle it decides by; empty: none.</summary>
    public required string PolicyHash { get; init; }

    /// <summary>The bundle that lies in its policy folder. Null: the folder is broken.</summary>
    public string? FolderHash { get; init; }
    public required int FolderErrors { get; init; }
    public long StartedAt { get; init; }
    public long SeenAt { get; init; }
}
