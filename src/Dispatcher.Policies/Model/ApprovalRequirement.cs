using System.Text.Json.Serialization;

namespace Dispatcher.Policies.Model;

/// <summary>
/// Who must approve a job, how fast, and how far that carries. Requirements of several rules merge to the tightest: all groups, the higher count, all exclusions, the
/// shorter times, retries only where all of them cover retries, and invalidation where one of them says so.
/// </summary>
public sealed record ApprovalRequirement
{
    /// <summary>One vote by anyone with the approver role but the requester, 24 h to decide, 1 h to use, for one attempt, on the same basis: what a rule without an <c>approval</c> block asks for.</summary>
    public static ApprovalRequirement Default { get; } = new();

    /// <summary>All of these must approve, sorted by group. Empty: one vote of anyone with the approver role.</summary>
    public IReadOnlyList<ApprovalGroup> Groups { get; init; } = [];

    /// <summary>
    /// Whose votes do not count: principals, or <see cref="Requester"/> for whoever handed the job in. Sorted. Default: the requester. Leaving
    /// <see cref="Requester"/> out lets nobody in: whoever handed the job in, and anyone who shares that person, can never approve, whatever stands here.
    /// </summary>
    public IReadOnlyList<string> Exclude { get; init; } = [Requester];

    /// <summary>How long the job is held before the approval expires, 1 s to 720 h. Default: 24 h.</summary>
    public TimeSpan DecideWithin { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How long a granted approval may be used, 1 s to 720 h. Default: 1 h.</summary>
    public TimeSpan UseWithin { get; init; } = TimeSpan.FromHours(1);

    /// <summary>What one approval pays for. Default: one attempt.</summary>
    public ApprovalCover Covers { get; init; }

    /// <summary>What another bundle does to an approval that is not used yet. Default: it stands on the same basis.</summary>
    public OnPolicyChange OnPolicyChange { get; init; }

    /// <summary>The word in <see cref="Exclude"/> for whoever handed the job in.</summary>
    public const string Requester = "requester";
}

/// <summary>How many people of one group must approve.</summary>
/// <param name="Group">The group, <c>[a-z0-9_-]{1,64}</c>, for example <c>sre-oncall</c>.</param>
/// <param name="Count">1 to 10 different people.</param>
public sealed record ApprovalGroup(string Group, int Count);

/// <summary>What one approval pays for, the least first.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ApprovalCover>))]
public enum ApprovalCover
{
    /// <summary>One claimed attempt: a retry needs a new round of approval. The default.</summary>
    [JsonStringEnumMemberName("attempt")]
    Attempt,

    /// <summary>One claimed attempt, and the automatic retries of the same job.</summary>
    [JsonStringEnumMemberName("retries")]
    Retries,
}

/// <summary>What becomes of an approval when another bundle comes into force before it is used, the laxer first.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<OnPolicyChange>))]
public enum OnPolicyChange
{
    /// <summary>It stands while the decision's <see cref="Decision.BasisHash"/> is the one that was approved. The default.</summary>
    [JsonStringEnumMemberName("same_basis")]
    SameBasis,

    /// <summary>It falls, also when nothing that the decision rests on is different.</summary>
    [JsonStringEnumMemberName("invalidate")]
    Invalidate,
}
