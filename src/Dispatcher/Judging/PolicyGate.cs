using Dispatcher.Jobs;
using Dispatcher.Policies;
using Dispatcher.Storing;

namespace Dispatcher.Judging;

/// <summary>Asks the bundle in force about a job: at intake, and again at dispatch. Without a bundle, or when the stored job is not the one that was hashed, the answer is DENY.</summary>
internal sealed class PolicyGate(CurrentBundle current, StoreClock clock)
{
    /// <summary>The reason of a denial when the stored job no longer has the hash it was accepted with: somebody changed the row.</summary>
    public const string HashMismatch = "job_hash_mismatch";

    /// <summary>Waits until the clock is trusted: rules have times, and a process that is off decides nothing.</summary>
    public async ValueTask<Judged<Job>> JudgeAsync(Job job, CancellationToken cancellationToken)
    {
        if (!clock.IsTrusted)
        {
            await clock.TrustedAsync(cancellationToken);
        }

        return new Judged<Job>(job, Decide(job));
    }

    private Decision Decide(Job job)
    {
        var inForce = current.InForce;
        if (inForce.Bundle is null)
        {
            return Decision.Denied(ReasonCodes.NoBundle, inForce.Hash);
        }

        if (JobHash.Of(job) != job.JobHash)
        {
            return Decision.Denied(HashMismatch, inForce.Hash);
        }

        var facts = new JobFacts
        {
            Principal = job.Principal,
            Topic = job.Topic,
            Labels = job.Labels,
            RiskTags = job.RiskTags,
            Payload = job.Payload,
            WorkflowId = job.WorkflowId,
            Attempt = job.Attempt + 1,
        };
        return inForce.Bundle.Decide(facts, Timestamps.At(clock.Now));
    }
}
