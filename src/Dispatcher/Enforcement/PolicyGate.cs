using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Policies.Model;
using Dispatcher.Storage;
using Dispatcher.Web;

namespace Dispatcher.Enforcement;

/// <summary>
/// Evaluates a job against the bundle in force, at intake and again at dispatch. The decision is DENY without a bundle, and for a stored
/// job that does not match its hash.
/// </summary>
internal sealed partial class PolicyGate(
    CurrentBundle current,
    PrincipalOwners owners,
    StoreClock clock,
    DispatcherMetrics metrics,
    TimeProvider time,
    ILogger<PolicyGate> logger
)
{
    /// <summary>Reason of a denial: the stored job does not match the hash of its submission: the row was changed.</summary>
    public const string HashMismatch = "job_hash_mismatch";

    /// <summary>
    /// Reason of a denial: the timeline contradicts the rows of the job and its approval: the rows were changed.
    /// </summary>
    public const string TimelineMismatch = "timeline_mismatch";

    /// <summary>
    /// Reason of a denial: the job requires an approval and its principal has no owner. The server could not check that the approver is
    /// another person than the requester.
    /// </summary>
    public const string NoOwner = "no_owner";

    /// <summary>Waits until the clock is trusted, because rules depend on the time.</summary>
    public async ValueTask<Evaluated<Job>> EvaluateAsync(Job job, Hop hop, CancellationToken cancellationToken)
    {
        if (!clock.IsTrusted)
        {
            await clock.TrustedAsync(cancellationToken);
        }

        using var span = JobSpans.Decide(job);
        var start = time.GetTimestamp();
        var at = Timestamps.At(clock.Now);
        var decision = Decide(job, hop, at);
        if (decision.Verdict == Verdict.RequireApproval && !await owners.HasOneAsync(job.Principal, cancellationToken))
        {
            decision = WithoutOwner(job, decision);
        }

        metrics.Decided(hop, decision.Verdict, time.GetElapsedTime(start));
        span?.SetTag("dispatcher.hop", WireNames.Of(hop))
            .SetTag("dispatcher.verdict", WireNames.Of(decision.Verdict))
            .SetTag("dispatcher.policy.hash", decision.PolicyHash);
        if (logger.IsEnabled(LogLevel.Debug))
        {
            using var scope = JobScope.Begin(logger, job);
            Log.Decided(logger, job.JobId, decision.Verdict, hop, string.Join(", ", decision.Rules), decision.Reason, decision.PolicyHash);
        }

        return new Answer<Job>(job, decision, at);
    }

    /// <summary>
    /// The denial of a job whose rows allowed it and whose timeline contradicts the rows. It keeps the policy hash of the decision.
    /// </summary>
    /// <param name="evaluated">The job with the decision that allowed it.</param>
    /// <param name="why">The contradicting values of the timeline and of the rows.</param>
    public static Evaluated<Job> Contradicted(Evaluated<Job> evaluated, string why) =>
        new Answer<Job>(
            evaluated.Subject,
            Decision.Denied(TimelineMismatch, evaluated.Decision.PolicyHash) with
            {
                Detail = why,
            },
            evaluated.At
        );

    private Decision Decide(Job job, Hop hop, DateTimeOffset at)
    {
        var inForce = current.InForce;
        if (inForce.Bundle is null)
        {
            return Decision.Denied(ReasonCodes.NoBundle, inForce.Hash);
        }

        // Intake has computed the hash from the same bytes a moment ago; dispatch compares it with the stored row.
        if (hop == Hop.Dispatch && JobHash.Of(job) != job.JobHash)
        {
            return Decision.Denied(HashMismatch, inForce.Hash);
        }

        return inForce.Bundle.Decide(job.Facts(job.NextTry()), at);
    }

    private static Decision WithoutOwner(Job job, Decision decision) =>
        decision with
        {
            Verdict = Verdict.Deny,
            Rules = [],
            Reason = NoOwner,
            Detail =
                $"the job requires an approval, and no person is responsible for principal {job.Principal}. An admin must name one: "
                + $"dispatcher keys bind --subject {job.Principal} --person <person>. "
                + "Then submit the job again with a new job_id and idempotency_key",
            Constraints = null,
            BasisHash = "",
            Approval = null,
        };

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.Decided,
            LogLevel.Debug,
            "Job {JobId}: {Verdict} at {Hop} by the rules [{Rules}]: {Reason}; bundle {PolicyHash}"
        )]
        public static partial void Decided(
            ILogger logger,
            Guid jobId,
            Verdict verdict,
            Hop hop,
            string rules,
            string reason,
            string policyHash
        );
    }
}

/// <summary>The only subclass of <see cref="Evaluated{T}"/>. It is local to this file, so that only the gate creates one.</summary>
file sealed class Answer<T>(T subject, Decision decision, DateTimeOffset at) : Evaluated<T>(subject, decision, at);
