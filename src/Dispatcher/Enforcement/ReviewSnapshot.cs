using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Policies.Model;

namespace Dispatcher.Enforcement;

/// <summary>
/// The facts that approvers review: the job as submitted, the rules and the reason that hold it, and the constraints of its run. Its hash
/// covers every member. The hash is stored when the job is held, and compared when the approval is shown, voted on and used, so that a
/// change of the rows since then is detected.
/// </summary>
internal sealed record ReviewSnapshot
{
    private static readonly JsonSerializerOptions Options = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public required string JobHash { get; init; }
    public required string PolicyHash { get; init; }
    public required string BasisHash { get; init; }
    public required int Round { get; init; }
    public required string Topic { get; init; }
    public required string Principal { get; init; }
    public required IReadOnlyDictionary<string, string> Labels { get; init; }
    public required IReadOnlyList<string> RiskTags { get; init; }
    public required string Payload { get; init; }
    public string? WorkflowId { get; init; }
    public long? CostTokens { get; init; }
    public long? CostUsdMicros { get; init; }
    public required IReadOnlyList<string> Rules { get; init; }
    public required string Reason { get; init; }

    /// <summary>The limits of the run: allowed hosts and commands, time and output. Null: no limits.</summary>
    public Constraints? Constraints { get; init; }

    public required RequirementView Requirement { get; init; }

    /// <summary>From a job as it was held, and its approval.</summary>
    public static ReviewSnapshot Of(Job job, Approval approval) =>
        new()
        {
            JobHash = approval.JobHash,
            PolicyHash = approval.PolicyHash,
            BasisHash = approval.BasisHash,
            Round = approval.Round,
            Topic = job.Topic,
            Principal = job.Principal,
            Labels = new SortedDictionary<string, string>(job.Labels.ToDictionary(), StringComparer.Ordinal),
            RiskTags = job.RiskTags,
            Payload = Encoding.UTF8.GetString(job.Payload),
            WorkflowId = job.WorkflowId,
            CostTokens = job.CostTokens,
            CostUsdMicros = job.CostUsdMicros,
            Rules = job.Rules,
            Reason = job.Reason,
            Constraints = job.Constraints,
            Requirement = RequirementView.Of(approval.Requirement),
        };

    public string Hash() =>
        Convert.ToHexStringLower(SHA256.HashData([.. "dispatcher/shown/v1\0"u8, .. JsonSerializer.SerializeToUtf8Bytes(this, Options)]));
}

/// <summary>An approval requirement as approvers see it. Times are in seconds.</summary>
internal sealed record RequirementView(
    IReadOnlyDictionary<string, int> Groups,
    IReadOnlyList<string> Exclude,
    long DecideWithinS,
    long UseWithinS,
    string Covers,
    string OnPolicyChange
)
{
    public static RequirementView Of(ApprovalRequirement requirement) =>
        new(
            new SortedDictionary<string, int>(
                requirement.Groups.ToDictionary(group => group.Group, group => group.Count),
                StringComparer.Ordinal
            ),
            requirement.Exclude,
            (long)requirement.DecideWithin.TotalSeconds,
            (long)requirement.UseWithin.TotalSeconds,
            requirement.Covers == ApprovalCover.Retries ? "retries" : "attempt",
            requirement.OnPolicyChange == Policies.Model.OnPolicyChange.SameBasis ? "same_basis" : "invalidate"
        );
}
