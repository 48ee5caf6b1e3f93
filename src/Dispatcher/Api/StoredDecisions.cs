using System.Runtime.CompilerServices;
using Dispatcher.Base;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Policies;
using Dispatcher.Policies.Model;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Api;

/// <summary>
/// Evaluates stored jobs and denied submissions again: by the bundle of a recorded decision, to explain it, or by two bundles, to compare
/// them.
/// </summary>
internal sealed class StoredDecisions(IDbContextFactory<DispatcherDb> database, StoredBundles kept, StoreClock clock)
{
    /// <summary>Maximum number of changes that a comparison lists.</summary>
    public const int MaxChanges = 200;

    /// <summary>Maximum number of uncovered rules that a comparison lists.</summary>
    public const int MaxUnshownRules = 50;

    /// <summary>Maximum number of jobs and denied submissions, together, that a comparison reads.</summary>
    public int MaxJobs { get; init; } = 100_000;

    /// <summary>Explains each decision on the job's timeline. Null: neither a job nor a denied submission has this id.</summary>
    public async Task<IReadOnlyList<ExplainedDecision>?> ExplainAsync(Guid jobId, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var stored =
            await Of(db.Jobs.Where(job => job.JobId == jobId)).FirstOrDefaultAsync(cancellationToken)
            ?? await Of(db.Denials.Where(denial => denial.JobId == jobId)).FirstOrDefaultAsync(cancellationToken);
        var entries = await db
            .Timeline.AsNoTracking()
            .Where(entry => entry.JobId == jobId)
            .OrderBy(entry => entry.EntryId)
            .ToListAsync(cancellationToken);
        if (stored is null)
        {
            return null;
        }

        var explained = new List<ExplainedDecision>();
        foreach (var recorded in entries.Select(RecordedDecision.Of).OfType<RecordedDecision>())
        {
            explained.Add(await ExplainAsync(stored, recorded, cancellationToken));
        }

        return explained;
    }

    /// <summary>
    /// Evaluates both bundles on the submissions since <paramref name="since"/>, at the current time, so that a rule which is valid only
    /// from today on counts.
    /// </summary>
    public async Task<PolicyDiffView> CompareAsync(Bundle old, Bundle candidate, long since, CancellationToken cancellationToken)
    {
        // Two open readers need two connections.
        await using var jobsDb = await database.CreateDbContextAsync(cancellationToken);
        await using var denialsDb = await database.CreateDbContextAsync(cancellationToken);
        var jobs = Of(jobsDb.Jobs.Where(job => job.CreatedAt >= since).OrderByDescending(job => job.CreatedAt).Take(MaxJobs + 1));
        var denials = Of(denialsDb.Denials.Where(denial => denial.At >= since).OrderByDescending(denial => denial.At).Take(MaxJobs + 1));
        var count = new JobComparison(old, candidate, Timestamps.At(clock.Now));
        await foreach (var job in NewestFirst(jobs.AsAsyncEnumerable(), denials.AsAsyncEnumerable(), cancellationToken))
        {
            if (count.Read == MaxJobs)
            {
                return count.View(Timestamps.At(since), truncated: true);
            }

            count.Add(job);
        }

        return count.View(Timestamps.At(since), truncated: false);
    }

    /// <summary>Merges two lists that are both sorted newest first.</summary>
    private static async IAsyncEnumerable<StoredSubmission> NewestFirst(
        IAsyncEnumerable<StoredSubmission> jobs,
        IAsyncEnumerable<StoredSubmission> denials,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        await using var accepted = jobs.GetAsyncEnumerator(cancellationToken);
        await using var denied = denials.GetAsyncEnumerator(cancellationToken);
        var job = await NextAsync(accepted);
        var denial = await NextAsync(denied);
        while ((job ?? denial) is not null)
        {
            if (denial is null || job?.CreatedAt >= denial.CreatedAt)
            {
                yield return job!;
                job = await NextAsync(accepted);
            }
            else
            {
                yield return denial;
                denial = await NextAsync(denied);
            }
        }
    }

    private static async ValueTask<StoredSubmission?> NextAsync(IAsyncEnumerator<StoredSubmission> sorted) =>
        await sorted.MoveNextAsync() ? sorted.Current : null;

    private async Task<ExplainedDecision> ExplainAsync(
        StoredSubmission stored,
        RecordedDecision recorded,
        CancellationToken cancellationToken
    )
    {
        if (recorded.PolicyHash.Length == 0)
        {
            return new ExplainedDecision(recorded, null, null, "No bundle was in force at the time of the decision.");
        }

        if (recorded.Reason.StartsWith(PolicyGate.NoOwner, StringComparison.Ordinal))
        {
            return new ExplainedDecision(
                recorded,
                null,
                null,
                "The rules required an approval, and no key or binding named a person for the principal."
            );
        }

        if (stored.Facts(recorded.Attempt) is not { } facts)
        {
            return new ExplainedDecision(
                recorded,
                null,
                null,
                $"The payload of the denied submission was not stored, because it exceeds {Denial.MaxPayloadBytes} bytes."
            );
        }

        var found = await kept.FindAsync(recorded.PolicyHash, "", cancellationToken);
        if (found.Bundle is null)
        {
            return new ExplainedDecision(
                recorded,
                null,
                null,
                $"Bundle {recorded.PolicyHash} is not stored, or this version of the server cannot load it."
            );
        }

        var explanation = found.Bundle.Explain(facts, recorded.At);
        return new ExplainedDecision(
            recorded,
            ExplanationView.Of(explanation),
            explanation.Decision.BasisHash == recorded.BasisHash && explanation.Decision.Verdict == recorded.Verdict,
            null
        );
    }

    private static IQueryable<StoredSubmission> Of(IQueryable<Job> jobs) =>
        jobs.AsNoTracking()
            .Select(job => new StoredSubmission(
                job.JobId,
                job.CreatedAt,
                job.Principal,
                job.Topic,
                job.Labels,
                job.RiskTags,
                job.Payload,
                job.WorkflowId
            ));

    private static IQueryable<StoredSubmission> Of(IQueryable<Denial> denials) =>
        denials
            .AsNoTracking()
            .Select(denial => new StoredSubmission(
                denial.JobId,
                denial.At,
                denial.Principal,
                denial.Topic,
                denial.Labels,
                denial.RiskTags,
                denial.Payload,
                denial.WorkflowId
            ));
}

/// <summary>A submission, accepted or denied. The payload is null for a denied submission whose payload was too large to store.</summary>
internal sealed record StoredSubmission(
    Guid JobId,
    long CreatedAt,
    string Principal,
    string Topic,
    IReadOnlyDictionary<string, string> Labels,
    IReadOnlyList<string> RiskTags,
    byte[]? Payload,
    string? WorkflowId
)
{
    /// <summary>The facts for the policy. Null: the payload is not stored, so that the submission cannot be evaluated.</summary>
    public JobFacts? Facts(int attempt) =>
        Payload is null
            ? null
            : new JobFacts
            {
                Principal = Principal,
                Topic = Topic,
                Labels = Labels,
                RiskTags = RiskTags,
                Payload = Payload,
                WorkflowId = WorkflowId,
                Attempt = attempt,
            };
}
