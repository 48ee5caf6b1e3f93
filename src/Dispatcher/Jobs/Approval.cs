using System.Globalization;
using Dispatcher.Base;
using Dispatcher.Policies.Model;
using MassTransit;

namespace Dispatcher.Jobs;

/// <summary>
/// One round of approval of one held job: a row, and the instance of <c>ApprovalSaga</c>. The transaction that holds the job writes it. It
/// names what is approved (the hash of the job) and under which rules (bundle and basis), and covers one claimed attempt. Every change
/// compares state and version, and moves the job in the same transaction.
/// </summary>
internal sealed class Approval : SagaStateMachineInstance, ISagaVersion
{
    /// <summary>Computed from job and round, so that a round exists at most once.</summary>
    public Guid CorrelationId { get; set; }

    public Guid JobId { get; set; }

    /// <summary>From 1. A retry, changed rules or an approver who lost the group start the next round.</summary>
    public int Round { get; set; }

    /// <summary>One of <see cref="ApprovalStates"/>.</summary>
    public string State { get; set; } = ApprovalStates.Held;

    /// <summary>Grows by one with every change.</summary>
    public int Version { get; set; }

    public string JobHash { get; set; } = "";

    /// <summary>The bundle that held the job. Votes name it.</summary>
    public string PolicyHash { get; set; } = "";

    /// <summary>Hash of the rules that the decision rests on. While it is the same, another bundle changes nothing for this job.</summary>
    public string BasisHash { get; set; } = "";

    /// <summary>SHA-256 of the review snapshot, see <c>ReviewSnapshot</c>.</summary>
    public string ViewHash { get; set; } = "";

    public ApprovalRequirement Requirement { get; set; } = ApprovalRequirement.Default;

    public IReadOnlyList<Vote> Votes { get; set; } = [];

    /// <summary>Times are microseconds since 1970 by the database's clock.</summary>
    public long CreatedAt { get; set; }

    /// <summary>An approval that is still held at this time expires.</summary>
    public long DecideBy { get; set; }

    public long? DecidedAt { get; set; }

    /// <summary>An approval that is approved and unused at this time expires. Null: not approved.</summary>
    public long? UseBy { get; set; }

    /// <summary>The permit that used it. Null: it was not used, or it was given back because no worker claimed the attempt.</summary>
    public Guid? PermitId { get; set; }

    /// <summary>Why it ended, in words. Null: it did not end, or it was used.</summary>
    public string? EndReason { get; set; }

    /// <summary>Its id in the API: job id and round.</summary>
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

    /// <summary>An attempt used it.</summary>
    public const string Consumed = "Consumed";

    public const string Rejected = "Rejected";
    public const string Expired = "Expired";

    /// <summary>It no longer applies: the rules changed, an approver lost the group, or the job was cancelled.</summary>
    public const string Invalidated = "Invalidated";
}

/// <summary>The answer of one person. Each person has at most one in a round.</summary>
/// <param name="Person">The person, whichever key was used.</param>
/// <param name="Subject">The subject of the key.</param>
/// <param name="Verdict"><c>approve</c> or <c>reject</c>.</param>
/// <param name="Reason">The reason that the voter gave.</param>
/// <param name="Groups">The groups of the key when it voted. The use of the approval reads them again.</param>
/// <param name="JobHash">Hash of the job that was voted on.</param>
/// <param name="PolicyHash">Hash of the bundle in force at the vote.</param>
/// <param name="ViewHash">Hash of the review snapshot that the voter saw. Null: the vote did not name one.</param>
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
