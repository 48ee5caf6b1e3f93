using System.Runtime.CompilerServices;
using Dispatcher.Base;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Policies;
using Dispatcher.Policies.Model;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Api;

/// <summary>Jobs and denied submissions as they are stored, decided again: by the bundle that decided then, or by others.</summary>
internal sealed class DecidedJobs(IDbContextFactory<DispatcherDb> database, StoredBundles kept, StoreClock clock)
{
    /// <summary>How many changes a comparison lists.</summary>
    public const int MostChanges = 200;

    /// <summary>How many rules that no job met a comparison lists.</summary>
    public const int MostUnshownRules = 50;

    /// <summary>How many jobs and denied submissions a comparison looks at, together.</summary>
    public int MostJobs { get; init; } = 100_000;

    /// <summary>Each decision on the job's timeline, explained. Null: there is no such job and no such submission.</summary>
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

    /// <summary>Decides what was handed in since then by both bundles, as if it came now: so that a rule which is in effect from today on counts.</summary>
    public async Task<PolicyDiffView> CompareAsync(Bundle old, Bundle candidate, long since, CancellationToken cancellationToken)
    {
        // Two readers at once need two connections.
        await using var jobsDb = await database.CreateDbContextAsync(cancellationToken);
        await using var denialsDb = await database.CreateDbContextAsync(cancellationToken);
        var jobs = Of(jobsDb.Jobs.Where(job => job.CreatedAt >= since).OrderByDescending(job => job.CreatedAt).Take(MostJobs + 1));
        var denials = Of(denialsDb.Denials.Where(denial => denial.At >= since).OrderByDescending(denial => denial.At).Take(MostJobs + 1));
        var count = new JobComparison(old, candidate, Timestamps.At(clock.Now));
        await foreach (var job in NewestFirst(jobs.AsAsyncEnumerable(), denials.AsAsyncEnumerable(), cancellationToken))
        {
            if (count.Looked == MostJobs)
            {
                return count.View(Timestamps.At(since), truncated: true);
            }

            count.Add(job);
        }

        return count.View(Timestamps.At(since), truncated: false);
    }

    /// <summary>Two lists that are sorted so, as one.</summary>
    private static async IAsyncEnumerable<DecidedJob> NewestFirst(
        IAsyncEnumerable<DecidedJob> jobs,
        IAsyncEnumerable<DecidedJob> denials,
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

    private static async ValueTask<DecidedJob?> NextAsync(IAsyncEnumerator<DecidedJob> sorted) =>
        await sorted.MoveNextAsync() ? sorted.Current : null;

    private async Task<ExplainedDecision> ExplainAsync(DecidedJob stored, RecordedDecision recorded, CancellationToken cancellationToken)
    {
        if (recorded.PolicyHash.Length == 0)
        {
            return new ExplainedDecision(recorded, null, null, "No bundle was in force.");
        }

        if (recorded.Reason.StartsWith(PolicyGate.NoOwner, StringComparison.Ordinal))
        {
            return new ExplainedDecision(
                recorded,
                null,
                null,
                "The rules asked for an approval, and no person was responsible for the principal."
            );
        }

        if (stored.Facts(recorded.Attempt) is not { } facts)
        {
            return new ExplainedDecision(
                recorded,
                null,
                null,
                $"The payload was larger than {Denial.MostPayloadBytes} bytes, so that it was not kept."
            );
        }

        var found = await kept.FindAsync(recorded.PolicyHash, "", cancellationToken);
        if (found.Bundle is null)
        {
            return new ExplainedDecision(
                recorded,
                null,
                null,
                $"Bundle {recorded.PolicyHash} is not kept, or this version cannot load it."
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

    private static IQueryable<DecidedJob> Of(IQueryable<Job> jobs) =>
        jobs.AsNoTracking()
            .Select(job => new DecidedJob(
                job.JobId,
                job.CreatedAt,
                job.Principal,
                job.Topic,
                job.Labels,
                job.RiskTags,
                job.Payload,
                job.WorkflowId
            ));

    private static IQueryable<DecidedJob> Of(IQueryable<Denial> denials) =>
        denials
            .AsNoTracking()
            .Select(denial => new DecidedJob(
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

/// <summary>What was handed in, whatever became of it. The payload is null for a denied submission whose payload was too large to be kept.</summary>
internal sealed record DecidedJob(
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
    /// <summary>Null: without the payload it cannot be decided again.</summary>
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
