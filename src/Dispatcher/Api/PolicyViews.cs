using Dispatcher.Base;
using Dispatcher.Enforcement;
using Dispatcher.Policies.Files;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Api;

/// <summary>The bundle in force, the policy folder of the answering process, and the bundle of every process.</summary>
internal sealed record PoliciesView(
    InForceView? InForce,
    FolderView Folder,
    IReadOnlyList<ProcessView> Processes,
    IReadOnlyList<KeptBundleView> Bundles
)
{
    /// <summary>Pools of the bundle in force whose queue is not declared on the broker yet. Their jobs wait for it.</summary>
    public IReadOnlyList<string> PoolsWithoutQueue { get; init; } = [];
}

/// <summary>The bundle in force. Pinned: changes of policy folders do not replace it.</summary>
internal sealed record InForceView(string Hash, long Serial, DateTimeOffset ActivatedAt, string Actor, bool Pinned)
{
    public static InForceView Of(BundleInForce row) => new(row.Hash, row.Serial, Timestamps.At(row.ActivatedAt), row.Actor, row.Pinned);
}

/// <summary>A policy folder: the hash of its bundle, or its errors.</summary>
internal sealed record FolderView(string Path, string? Hash, IReadOnlyList<BundleError> Errors)
{
    public static FolderView Of(PolicyFolder folder) => new(folder.FullPath, folder.LastReading.Hash, folder.LastReading.Errors);
}

/// <summary>A stored bundle. It was in force before and can be pinned.</summary>
internal sealed record KeptBundleView(string Hash, DateTimeOffset FirstActivatedAt);

/// <summary>
/// The result of an unpin. <see cref="ReturnedToFolder"/> false: the folder has errors, and the bundle that was pinned stays in force until
/// the folder is valid.
/// </summary>
internal sealed record UnpinAnswer(InForceView InForce, bool ReturnedToFolder, FolderView Folder);
