using System.Globalization;
using Dispatcher.Base;
using Dispatcher.Policies.Model;
using MassTransit;

namespace Dispatcher.Jobs;

/// <summary>
/// What one held job waits for: one row a round, the instance of <c>ApprovalSaga</c>. It is written in the transaction that holds the job, names exactly what is
/// approved (the job's hash) and by which rules (bundle and basis), and pays for one claimed attempt. Whoever changes it compares state and version and moves the job with it.
/// </summary>
internal sealed class Approval : SagaStateMachineInstance, ISagaVersion
{
    /// <summary>Computed from job and round, so that a round cannot be there twice.</summary>
    public Guid CorrelationId { get; set; }

    public Guid JobId { get; set; }

    /// <summary>From 1. A retry, changed rules or an approver who lost the group open the next one.</summary>
    public int Round { get; set; }

    /// <summary>One of <see cref="ApprovalStates"/>.</summary>
    public string State { get; set; } = ApprovalStates.Held;

    /// <summary>Grows by one with every change.</summary>
    public int Version { get; set; }

    public string JobHash { get; set; } = "";

    /// <summary>The bundle that held the job. Votes name it.</summary>
    public string PolicyHash { get; set; } = "";

    /// <summary>What the decision rests on: while it stays the same, another bundle changes nothing for this job.</summary>
    public string BasisHash { get; set; } = "";

    /// <summary>SHA-256 of what approvers are shown, see <c>ReviewSnapshot</c>.</summary>
    public string ViewHash { get; set; } = "";

    public ApprovalRequirement Requirement { get; set; } = ApprovalRequirement.Default;

    public IReadOnlyList<Vote> Votes { get; set; } = [];

    /// <summary>Times are microseconds since 1970 by the database's clock.</summary>
    public long CreatedAt { get; set; }

    /// <summary>Undecided by then, it expires.</summary>
    public long DecideBy { get; set; }

    public long? DecidedAt { get; set; }

    /// <summary>Approved and unused by then, it expires. Null: not approved.</summary>
    public long? UseBy { get; set; }

    /// <summary>The permit it paid for. Null: it was not used, or the attempt was never claimed.</summary>
    public Guid? PermitId { get; set; }

    /// <summary>Why it ended, in words. Null: it has not, or was used.</summary>
    public string? EndReason { get; set; }

    /// <summary>As shown and asked for: job id and round.</summary>
    public string Name => NameOf(JobId, Round);

    public static Guid IdOf(Guid jobId, int round) => UuidV5.Of("approval", jobId.ToString(), round.ToString(CultureInfo.InvariantCulture));

    public static string NameOf(Guid jobId, int round) => string.Create(CultureInfo.InvariantCulture, $"{jobId}-{round}");
}

/// <summary>The states of an approval, as they are stored.</summary>
internal static class ApprovalStates
{
    /// <summary>Waits for votes.</summary>
    public const string Held = "Held";

    /// <summary>May be used, once, until <see cref="Approval.UseBy"/>.</summary>
    public const string Approved = "Approved";

    /// <summary>It paid for an attempt.</summary>
    public const string Consumed = "Consumed";

    public const string Rejected = "Rejected";
    public const string Expired = "Expired";

    /// <summary>What it was given for is no longer so: other rules, an approver who lost the group, a cancelled job.</summary>
    public const string Invalidated = "Invalidated";
}

/// <summary>One person's answer. There is one for each person and round.</summary>
/// <param name="Person">Who, whatever key was used.</param>
/// <param name="Subject">The subject of the key.</param>
/// <param name="Verdict"><c>approve</c> or <c>reject</c>.</param>
/// <param name="Reason">In the voter's words.</param>
/// <param name="Groups">The groups of the key when it voted. At use they are looked up again.</param>
/// <param name="JobHash">The job that was voted on.</param>
/// <param name="PolicyHash">The bundle that was voted under.</param>
/// <param name="ViewHash">What the voter was shown. Null: the voter did not say.</param>
/// <param name="At">Microseconds since 1970 by the database's clock.</param>
internal sealed record Vote(
    string Person,
    string Subject,
    string Verdict,
    string Reason,
    IReadOnlyList<string> Groups,
    string JobHash,
    string PolicyHash,
    string? ViewHash,
    long At
)
{
    public const string Approve = "approve";
    public const string Reject = "reject";
}
