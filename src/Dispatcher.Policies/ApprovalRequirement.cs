namespace Dispatcher.Policies;

/// <summary>Who must approve a job, and how fast. Requirements of several rules merge to the tightest: all groups, the higher count, all exclusions, the shorter times.</summary>
public sealed record ApprovalRequirement
{
    /// <summary>One vote by anyone with the approver role but the requester, 24 h to decide, 1 h to use: what a rule without an <c>approval</c> block asks for.</summary>
    public static ApprovalRequirement Default { get; } = new();

    /// <summary>All of these must approve, sorted by group. Empty: one vote of anyone with the approver role.</summary>
    public IReadOnlyList<ApprovalGroup> Groups { get; init; } = [];

    /// <summary>Whose votes do not count: principals, or <see cref="Requester"/> for whoever handed the job in. Sorted. Default: the requester.</summary>
    public IReadOnlyList<string> Exclude { get; init; } = [Requester];

    /// <summary>How long the job is held before the approval expires, 1 s to 720 h. Default: 24 h.</summary>
    public TimeSpan DecideWithin { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How long a granted approval may be used, 1 s to 720 h. Default: 1 h.</summary>
    public TimeSpan UseWithin { get; init; } = TimeSpan.FromHours(1);

    /// <summary>The word in <see cref="Exclude"/> for whoever handed the job in.</summary>
    public const string Requester = "requester";
}

/// <summary>How many people of one group must approve.</summary>
/// <param name="Group">The group, <c>[a-z0-9_-]{1,64}</c>, for example <c>sre-oncall</c>.</param>
/// <param name="Count">1 to 10 different people.</param>
public sealed record ApprovalGroup(string Group, int Count);
