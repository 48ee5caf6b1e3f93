using System.Text.Json;
using System.Text.Json.Nodes;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;

namespace Dispatcher.Api;

/// <summary>A job in a list.</summary>
internal sealed record JobSummary(
    Guid JobId,
    string Topic,
    string Principal,
    JobState State,
    int Attempt,
    Verdict Verdict,
    string? FaultClass,
    DateTimeOffset CreatedAt,
    DateTimeOffset UpdatedAt
)
{
    public static JobSummary Of(ListedJob job) =>
        new(
            job.JobId,
            job.Topic,
            job.Principal,
            job.State,
            job.Attempt,
            job.Verdict,
            job.FaultClass,
            Timestamps.At(job.CreatedAt),
            Timestamps.At(job.UpdatedAt)
        );
}

/// <summary>A single job with all of its fields.</summary>
internal sealed record JobView
{
    public required Guid JobId { get; init; }
    public required string Topic { get; init; }
    public required string Principal { get; init; }
    public required IReadOnlyDictionary<string, string> Labels { get; init; }
    public required IReadOnlyList<string> RiskTags { get; init; }
    public required JsonNode? Payload { get; init; }
    public string? IdempotencyKey { get; init; }
    public string? WorkflowId { get; init; }
    public required JobState State { get; init; }
    public required int Attempt { get; init; }
    public required Verdict Verdict { get; init; }
    public required IReadOnlyList<string> Rules { get; init; }
    public required string Reason { get; init; }
    public Constraints? Constraints { get; init; }
    public required string PolicyHash { get; init; }
    public required string JobHash { get; init; }

    /// <summary>The approval that holds the job or last allowed its dispatch: job id and round. Null: the job never needed one.</summary>
    public string? ApprovalId { get; init; }
    public string? Pool { get; init; }
    public string? Worker { get; init; }
    public required bool CancelRequested { get; init; }
    public JsonNode? Result { get; init; }
    public required bool ResultTruncated { get; init; }
    public Fault? Fault { get; init; }
    public string? FaultClass { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset UpdatedAt { get; init; }
    public DateTimeOffset? FinishedAt { get; init; }
    public DateTimeOffset? NotAfter { get; init; }

    public static JobView Of(Job job) =>
        new()
        {
            JobId = job.JobId,
            Topic = job.Topic,
            Principal = job.Principal,
            Labels = job.Labels,
            RiskTags = job.RiskTags,
            Payload = JsonNode.Parse(job.Payload),
            IdempotencyKey = job.IdempotencyKey,
            WorkflowId = job.WorkflowId,
            State = job.State,
            Attempt = job.Attempt,
            Verdict = job.Verdict,
            Rules = job.Rules,
            Reason = job.Reason,
            Constraints = job.Constraints,
            PolicyHash = job.PolicyHash,
            JobHash = job.JobHash,
            ApprovalId = job.ApprovalRound == 0 ? null : Approval.NameOf(job.JobId, job.ApprovalRound),
            Pool = job.Pool,
            Worker = job.Worker,
            CancelRequested = job.CancelRequested,
            Result = job.Result is null ? null : JsonNode.Parse(job.Result),
            ResultTruncated = job.ResultTruncated,
            Fault = job.Fault,
            FaultClass = job.FaultClass,
            CreatedAt = Timestamps.At(job.CreatedAt),
            UpdatedAt = Timestamps.At(job.UpdatedAt),
            FinishedAt = Timestamps.At(job.FinishedAt),
            NotAfter = Timestamps.At(job.NotAfter),
        };
}

/// <summary>One entry of the timeline.</summary>
internal sealed record TimelineEntryView(long EntryId, DateTimeOffset At, string Kind, int Attempt, string Actor, JsonElement Detail)
{
    public static TimelineEntryView Of(TimelineEntry entry) =>
        new(
            entry.EntryId,
            Timestamps.At(entry.At),
            entry.Kind,
            entry.Attempt,
            entry.Actor,
            JsonSerializer.Deserialize<JsonElement>(entry.Detail)
        );
}

/// <summary>One attempt, derived from its entries on the timeline.</summary>
internal sealed record AttemptView(
    int Attempt,
    string State,
    string? Worker,
    DateTimeOffset DispatchedAt,
    DateTimeOffset? ClaimedAt,
    DateTimeOffset? EndedAt,
    string? Outcome,
    JsonNode? Fault
)
{
    /// <summary>
    /// Folds a job's timeline into its attempts: one for each dispatch. A late outcome may name an attempt that was never dispatched.
    /// </summary>
    public static IReadOnlyList<AttemptView> Of(IEnumerable<TimelineEntry> timeline) =>
        [
            .. timeline
                .GroupBy(entry => entry.Attempt)
                .OrderBy(group => group.Key)
                .Select(group => Of(group.Key, [.. group]))
                .OfType<AttemptView>(),
        ];

    private static AttemptView? Of(int attempt, IReadOnlyList<TimelineEntry> entries)
    {
        if (entries.FirstOrDefault(entry => entry.Kind == TimelineKinds.Dispatched) is not { } dispatched)
        {
            return null;
        }

        var claimed = entries.FirstOrDefault(entry => entry.Kind == TimelineKinds.Claimed);
        var ended = entries.FirstOrDefault(entry => TimelineKinds.Ends.Contains(entry.Kind));
        return new AttemptView(
            attempt,
            ended?.Kind ?? (claimed is null ? TimelineKinds.Dispatched : "running"),
            claimed is null ? null : JsonNode.Parse(claimed.Detail)?["worker"]?.GetValue<string>(),
            Timestamps.At(dispatched.At),
            Timestamps.At(claimed?.At),
            Timestamps.At(ended?.At),
            ended?.Kind,
            ended is null ? null : JsonNode.Parse(ended.Detail)?["fault"]?.DeepClone()
        );
    }
}
