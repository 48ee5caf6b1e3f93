using Dispatcher.Base;
using Dispatcher.Enforcement;
using Dispatcher.Policies.Files;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Api;

/// <summary>Which policy is in force, what lies in the folder of the process that answers, and what every process runs.</summary>
internal sealed record PoliciesView(
    InForceView? InForce,
    FolderView Folder,
    IReadOnlyList<ProcessView> Processes,
    IReadOnlyList<KeptBundleView> Bundles
)
{
    /// <summary>Pools of the bundle in force whose queue the broker does not have yet. Their jobs wait until it is declared.</summary>
    public IReadOnlyList<string> PoolsWithoutQueue { get; init; } = [];
}

/// <summary>The bundle in force. Pinned: no folder changes it.</summary>
internal sealed record InForceView(string Hash, long Serial, DateTimeOffset ActivatedAt, string Actor, bool Pinned)
{
    public static InForceView Of(BundleInForce row) => new(row.Hash, row.Serial, Timestamps.At(row.ActivatedAt), row.Actor, row.Pinned);
}

/// <summary>A policy folder: the hash of its bundle, or what is wrong with it.</summary>
internal sealed record FolderView(string Path, string? Hash, IReadOnlyList<BundleError> Errors)
{
    public static FolderView Of(PolicyFolder folder) => new(folder.FullPath, folder.LastReading.Hash, folder.LastReading.Errors);
}

/// <summary>A bundle that was in force once, and can be pinned.</summary>
internal sealed record KeptBundleView(string Hash, DateTimeOffset FirstActivatedAt);

/// <summary>The end of a pin. Not returned: the folder is broken, and the bundle that was pinned stays until the folder is valid.</summary>
internal sealed record UnpinAnswer(InForceView InForce, bool ReturnedToFolder, FolderView Folder);
