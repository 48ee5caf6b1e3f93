using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Policies;
using Dispatcher.Storage;
using Dispatcher.Web;

namespace Dispatcher.Enforcement;

/// <summary>Asks the bundle in force about a job: at intake, and again at dispatch. Without a bundle, or when the stored job is not the one that was hashed, the answer is DENY.</summary>
internal sealed class PolicyGate(
    CurrentBundle current,
    PrincipalOwners owners,
    StoreClock clock,
    DispatcherMetrics metrics,
    TimeProvider time
)
{
    /// <summary>The reason of a denial when the stored job no longer has the hash it was accepted with: somebody changed the row.</summary>
    public const string HashMismatch = "job_hash_mismatch";

    /// <summary>
    /// The reason of a denial when job and approval rows agree, and the timeline says something else: somebody changed the rows.
    /// </summary>
    public const string TimelineMismatch = "timeline_mismatch";

    /// <summary>
    /// The reason of a denial when a job needs an approval and no person is responsible for its principal: nobody could tell whether the
    /// approver is the requester.
    /// </summary>
    public const string NoOwner = "no_owner";

    /// <summary>Waits until the clock is trusted: rules have times, and a process that is off decides nothing.</summary>
    public async ValueTask<Evaluated<Job>> EvaluateAsync(Job job, Hop hop, CancellationToken cancellationToken)
    {
        if (!clock.IsTrusted)
        {
            await clock.TrustedAsync(cancellationToken);
        }

        var start = time.GetTimestamp();
        var at = Timestamps.At(clock.Now);
        var decision = Decide(job, hop, at);
        if (decision.Verdict == Verdict.RequireApproval && !await owners.HasOneAsync(job.Principal, cancellationToken))
        {
            decision = WithoutOwner(job, decision);
        }

        metrics.Decided(hop, decision.Verdict, time.GetElapsedTime(start));
        return new Answer<Job>(job, decision, at);
    }

    /// <summary>
    /// The denial of a job that was allowed by its rows and that the timeline contradicts. It keeps the bundle of the decision.
    /// </summary>
    /// <param name="evaluated">The job with the decision that let it go.</param>
    /// <param name="why">What the timeline says, and what the rows say.</param>
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
                $"the job needs an approval, and no person is responsible for principal {job.Principal}. An admin names one: "
                + $"dispatcher keys bind --subject {job.Principal} --person <person>; then submit it again with a new job_id and idempotency_key",
            Constraints = null,
            BasisHash = "",
            Approval = null,
        };
}

/// <summary>The only kind of <see cref="Evaluated{T}"/>. No other file can name it, so only the gate makes one.</summary>
file sealed class Answer<T>(T subject, Decision decision, DateTimeOffset at) : Evaluated<T>(subject, decision, at);
