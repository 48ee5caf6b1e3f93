using Dispatcher.Contracts;
using Dispatcher.Policies.Model;

namespace Dispatcher.Jobs;

/// <summary>
/// A stored job. Its submitted facts never change; its progress changes only by a <see cref="Move"/>. Times are microseconds since 1970 by
/// the database's clock.
/// </summary>
internal sealed record Job
{
    public required Guid JobId { get; init; }
    public required string Principal { get; init; }
    public required string Topic { get; init; }
    public required IReadOnlyDictionary<string, string> Labels { get; init; }
    public required IReadOnlyList<string> RiskTags { get; init; }
    public required byte[] Payload { get; init; }
    public string? IdempotencyKey { get; init; }
    public string? WorkflowId { get; init; }
    public long? CostTokens { get; init; }
    public long? CostUsdMicros { get; init; }
    public long? NotAfter { get; init; }
    public string JobHash { get; init; } = "";
    public string? ReplyTo { get; init; }
    public string? CorrelationId { get; init; }
    public string? TraceParent { get; init; }
    public long CreatedAt { get; init; }

    public JobState State { get; init; }

    /// <summary>Grows by one with every move. A move is applied only to the version that it was decided on.</summary>
    public int Version { get; init; }

    /// <summary>The last attempt that was dispatched; 0 before the first.</summary>
    public int Attempt { get; init; }

    /// <summary>Attempts that a worker claimed and that failed. An attempt without a claim, or a returned one, does not count.</summary>
    public int FailedAttempts { get; init; }

    /// <summary>Earliest time of the next dispatch: of the submission, or of the retry. The backlog of the pool is ordered by it.</summary>
    public long ReadyAt { get; init; }

    /// <summary>
    /// End of the last attempt, by the overall limit of the topic. It is computed as if the attempt began at <see cref="ReadyAt"/>; the
    /// time in the backlog, for an approval and for a worker is added at the claim. Null: no attempt has failed yet.
    /// </summary>
    public long? OverallDeadline { get; init; }

    /// <summary>When the sweep next checks the job. Null: it waits in the backlog without a deadline, or its state is final.</summary>
    public long? DueAt { get; init; }

    /// <summary>Verdict of the last decision. Before the first one: a denial.</summary>
    public Verdict Verdict { get; init; } = Verdict.Deny;
    public IReadOnlyList<string> Rules { get; init; } = [];
    public string Reason { get; init; } = "not_judged";
    public Constraints? Constraints { get; init; }
    public string PolicyHash { get; init; } = "";
    public string BasisHash { get; init; } = "";

    /// <summary>The last round of approval: held, approved or used. 0: the job never needed an approval.</summary>
    public int ApprovalRound { get; init; }

    /// <summary>The pool whose backlog has the job. Empty: its topic is no longer in the registry. Null: its topic never was.</summary>
    public string? Pool { get; init; }
    public long? RunLimitUs { get; init; }
    public long? HeartbeatUs { get; init; }
    public long? StartBy { get; init; }

    public Guid? RunId { get; init; }
    public string? Worker { get; init; }

    /// <summary>Subject of the key that claimed the attempt. Only this principal may report its outcome.</summary>
    public string? ClaimedBy { get; init; }

    /// <summary>The hard end of the run: the lease never extends past it.</summary>
    public long? RunUntil { get; init; }

    public bool CancelRequested { get; init; }
    public byte[]? Result { get; init; }
    public bool ResultTruncated { get; init; }
    public Fault? Fault { get; init; }
    public string? FaultClass { get; init; }
    public long UpdatedAt { get; init; }
    public long? FinishedAt { get; init; }

    /// <summary>
    /// The number of the next attempt as the policy counts it: failed attempts plus one. A dispatch without a claim does not count, so that
    /// a short outage of the workers turns no job into a retry.
    /// </summary>
    public int NextTry() => FailedAttempts + 1;

    /// <summary>The facts that the policy evaluates.</summary>
    /// <param name="attempt">The next attempt, as <see cref="NextTry"/> counts.</param>
    public JobFacts Facts(int attempt) =>
        new()
        {
            Principal = Principal,
            Topic = Topic,
            Labels = Labels,
            RiskTags = RiskTags,
            Payload = Payload,
            WorkflowId = WorkflowId,
            Attempt = attempt,
        };

    /// <summary>The job with this decision.</summary>
    public Job With(Decision decision) =>
        this with
        {
            Verdict = decision.Verdict,
            Rules = decision.Rules,
            Reason = decision.Detail is null ? decision.Reason : $"{decision.Reason}: {decision.Detail}",
            Constraints = decision.Constraints,
            PolicyHash = decision.PolicyHash,
            BasisHash = decision.BasisHash,
        };
}
