using Dispatcher.Contracts;
using Dispatcher.Policies.Model;

namespace Dispatcher.Jobs;

/// <summary>A job as stored: what was handed in (never changes) and where it stands (changes only by <see cref="Move"/>). Times are microseconds since 1970 by the database's clock.</summary>
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

    /// <summary>Grows by one with every move. A move names the version it was decided on; a row that has moved on is left alone.</summary>
    public int Version { get; init; }

    /// <summary>The last attempt that was dispatched; 0 before the first.</summary>
    public int Attempt { get; init; }

    /// <summary>Attempts that a worker claimed and that came to nothing. One that nobody claimed, or that was given back, costs nothing.</summary>
    public int FailedAttempts { get; init; }

    /// <summary>When it may go at the earliest, and with that its place in the line of its pool: the time of hand-in, or of the next attempt.</summary>
    public long ReadyAt { get; init; }

    /// <summary>
    /// No attempt runs after this: the topic's overall limit. It counts on from <see cref="ReadyAt"/> as if the attempt began then; what it really waited in line, for people or for
    /// a worker is added when it is claimed. Null: nothing was spent yet.
    /// </summary>
    public long? OverallDeadline { get; init; }

    /// <summary>When the sweep must look at the job again. Null: it only waits for its turn, or the state is final.</summary>
    public long? DueAt { get; init; }

    /// <summary>The last decision. Until there is one: a denial.</summary>
    public Verdict Verdict { get; init; } = Verdict.Deny;
    public IReadOnlyList<string> Rules { get; init; } = [];
    public string Reason { get; init; } = "not_judged";
    public Constraints? Constraints { get; init; }
    public string PolicyHash { get; init; } = "";
    public string BasisHash { get; init; } = "";

    /// <summary>The round of the approval it waits for, has, or was last dispatched by. 0: it never needed one.</summary>
    public int ApprovalRound { get; init; }

    /// <summary>The pool in whose line it stands. Empty: its topic is not in the registry any more. Null: it never was.</summary>
    public string? Pool { get; init; }
    public long? RunLimitUs { get; init; }
    public long? HeartbeatUs { get; init; }
    public long? StartBy { get; init; }

    public Guid? RunId { get; init; }
    public string? Worker { get; init; }

    /// <summary>Subject of the key that claimed the attempt. Only this principal may report its outcome.</summary>
    public string? ClaimedBy { get; init; }

    /// <summary>The hard end of the run.</summary>
    public long? RunUntil { get; init; }

    public bool CancelRequested { get; init; }
    public byte[]? Result { get; init; }
    public bool ResultTruncated { get; init; }
    public Fault? Fault { get; init; }
    public string? FaultClass { get; init; }
    public long UpdatedAt { get; init; }
    public long? FinishedAt { get; init; }

    /// <summary>
    /// The number of the next attempt as the policy counts: only attempts that a worker claimed and began. A dispatch without a claim does
    /// not count, so that a short outage of the workers makes no job a retry.
    /// </summary>
    public int NextTry() => FailedAttempts + 1;

    /// <summary>What the policy may know.</summary>
    /// <param name="attempt">The attempt to be made, as <see cref="NextTry"/> counts.</param>
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

    /// <summary>The job under this decision.</summary>
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
