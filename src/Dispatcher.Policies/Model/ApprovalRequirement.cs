using System.Text.Json.Serialization;

namespace Dispatcher.Policies.Model;

/// <summary>
/// States who must approve a job, within which time, and what the approval covers. Requirements of several rules merge to the strictest:
/// all groups, the higher count, all exclusions, the shorter times, retries only if all of them cover retries, and invalidation if one of
/// them requires it.
/// </summary>
public sealed record ApprovalRequirement
{
    /// <summary>
    /// The requirement of a rule without an <c>approval</c> block: one vote by an approver other than the requester, 24 h to decide, 1 h to
    /// use, for one attempt, on the same basis.
    /// </summary>
    public static ApprovalRequirement Default { get; } = new();

    /// <summary>Groups that must all approve, sorted by name. Empty: one vote by any principal with the approver role.</summary>
    public IReadOnlyList<ApprovalGroup> Groups { get; init; } = [];

    /// <summary>
    /// Principals whose votes do not count; <see cref="Requester"/> stands for the principal that submitted the job. Sorted. Default: the
    /// requester. That principal, and any other of the same person, can never approve, even if <see cref="Requester"/> is missing here.
    /// </summary>
    public IReadOnlyList<string> Exclude { get; init; } = [Requester];

    /// <summary>How long the job waits for votes before it expires, 1 s to 720 h. Default: 24 h.</summary>
    public TimeSpan DecideWithin { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How long a granted approval stays usable, 1 s to 720 h. Default: 1 h.</summary>
    public TimeSpan UseWithin { get; init; } = TimeSpan.FromHours(1);

    /// <summary>The attempts that one approval covers. Default: one attempt.</summary>
    public ApprovalCover Covers { get; init; }

    /// <summary>The effect of a new bundle on an unused approval. Default: it stays valid on the same basis.</summary>
    public OnPolicyChange OnPolicyChange { get; init; }

    /// <summary>The word in <see cref="Exclude"/> for the principal that submitted the job.</summary>
    public const string Requester = "requester";
}

/// <summary>The number of people of one group who must approve.</summary>
/// <param name="Group">The group, <c>[a-z0-9_-]{1,64}</c>, for example <c>sre-oncall</c>.</param>
/// <param name="Count">The number of different people, 1 to 10.</param>
public sealed record ApprovalGroup(string Group, int Count);

/// <summary>The attempts that one approval covers, fewest first.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ApprovalCover>))]
public enum ApprovalCover
{
    /// <summary>One claimed attempt: a retry needs a new round of approval. The default.</summary>
    [JsonStringEnumMemberName("attempt")]
    Attempt,

    /// <summary>One claimed attempt and the automatic retries of the same job.</summary>
    [JsonStringEnumMemberName("retries")]
    Retries,
}

/// <summary>The effect on an unused approval when another bundle is activated, laxer first.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<OnPolicyChange>))]
public enum OnPolicyChange
{
    /// <summary>It stays valid while the decision's <see cref="Decision.BasisHash"/> equals the approved one. The default.</summary>
    [JsonStringEnumMemberName("same_basis")]
    SameBasis,

    /// <summary>It becomes invalid, even if the decision rests on the same content.</summary>
    [JsonStringEnumMemberName("invalidate")]
    Invalidate,
}
