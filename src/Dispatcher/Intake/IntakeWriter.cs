using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Policies.Model;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Intake;

/// <summary>
/// Stores evaluated submissions, many in one commit, with one message that signals their dispatch. A submission that is known gets its
/// first answer; a submission whose id or key belongs to another job is a conflict.
/// </summary>
internal sealed class IntakeWriter(
    IStore store,
    StoreHealth health,
    IDbContextFactory<DispatcherDb> database,
    Relay relay,
    JobMetrics metrics,
    TimeProvider time
) : GroupCommit<Acceptance, IntakeResult>(health, time)
{
    protected override Guid KeyOf(Acceptance item) => item.JobId;

    // :: Step 3, the commit
    protected override async Task<IReadOnlyList<IntakeResult>> CommitAsync(
        IReadOnlyList<Acceptance> batch,
        CancellationToken cancellationToken
    )
    {
        using var span = JobSpans.Commit("intake", batch.Select(acceptance => acceptance.Job).OfType<Job>());
        var ready = batch.Where(acceptance => acceptance.Job?.State == JobState.Accepted).Select(acceptance => acceptance.Job!).ToList();
        var signal = ready.Count == 0 ? null : DispatchSignal.Message(ready.Select(job => job.Pool!), Time);
        var committed = await store.AcceptAsync([.. batch.Where(acceptance => acceptance.IsStored)], signal, cancellationToken);
        relay.Offer(batch.Where(acceptance => committed.Jobs.Contains(acceptance.JobId)).SelectMany(acceptance => acceptance.Outbox));
        relay.Offer(signal is null ? [] : [signal]);
        if (committed.Jobs.Count > 0)
        {
            metrics.Committed("intake", committed.Jobs.Count);
        }

        try
        {
            var others = batch.Where(acceptance => !committed.Jobs.Contains(acceptance.JobId)).ToList();
            var known = others.Count == 0 ? [] : await KnownAsync(others, cancellationToken);
            var inForce = batch.All(acceptance => acceptance.PayloadErrors.Count == 0) ? null : await InForceAsync(cancellationToken);
            return [.. batch.Select(acceptance => Result(acceptance, committed, known, inForce))];
        }
        catch (Exception lost) when (lost.IsStoreUnavailable() || lost is OperationCanceledException)
        {
            throw new LostAfterCommitException(lost);
        }
    }

    private static IntakeResult Result(Acceptance acceptance, Committed committed, IReadOnlyList<Known> known, string? inForce)
    {
        if (committed.Jobs.Contains(acceptance.JobId))
        {
            return new IntakeResult(IntakeOutcome.Stored, acceptance.Answer);
        }

        // The id may belong to one job and the key to another: then one of the two is not this job.
        var matches = known
            .Where(k =>
                k.JobId == acceptance.JobId || (k.Key is not null && k.Key == acceptance.Key && k.Principal == acceptance.Principal)
            )
            .ToList();
        var own = matches.Where(first => first.Principal == acceptance.Principal).ToList();
        if (own.Count > 0)
        {
            return own.All(first => first.JobHash == acceptance.Answer.JobHash && first.Answer is not null)
                ? new IntakeResult(IntakeOutcome.Known, own[0].Answer)
                : new IntakeResult(IntakeOutcome.Conflict, null);
        }

        return matches.Count > 0 ? new IntakeResult(IntakeOutcome.IdTaken, null)
            : acceptance.IsDeniedWithoutBundle ? new IntakeResult(IntakeOutcome.DeniedWithoutBundle, acceptance.Answer)
            : acceptance.PayloadErrors.Count > 0 && acceptance.Answer.PolicyHash == inForce
                ? new IntakeResult(IntakeOutcome.Malformed, null) { Errors = Errors(acceptance) }
            : new IntakeResult(IntakeOutcome.PolicyChanged, null);
    }

    private static List<InputError> Errors(Acceptance acceptance)
    {
        var errors = new List<InputError>();
        foreach (var error in acceptance.PayloadErrors)
        {
            errors.Report(ReasonCodes.PayloadInvalid, "/payload" + error.Path, error.Message, error.Fix);
        }

        return errors;
    }

    /// <summary>A refused submission is not written, so that no statement compares its bundle with the active one.</summary>
    private async Task<string> InForceAsync(CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        return await db.ActiveBundle.Select(row => row.Hash).SingleOrDefaultAsync(cancellationToken) ?? "";
    }

    /// <summary>Jobs and denials with one of these ids or keys, each with its first answer. Reads no payload.</summary>
    private async Task<IReadOnlyList<Known>> KnownAsync(IReadOnlyList<Acceptance> others, CancellationToken cancellationToken)
    {
        var ids = others.Select(acceptance => acceptance.JobId).ToList();
        var principals = others.Select(acceptance => acceptance.Principal).Distinct().ToList();
        var keys = others.Where(acceptance => acceptance.Key is not null).Select(acceptance => acceptance.Key!).Distinct().ToList();
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var known = await db
            .Jobs.Where(job => ids.Contains(job.JobId) || (principals.Contains(job.Principal) && keys.Contains(job.IdempotencyKey!)))
            .Select(job => new Known(job.JobId, job.Principal, job.IdempotencyKey, job.JobHash, null))
            .ToListAsync(cancellationToken);
        known.AddRange(
            await db
                .Denials.Where(denial =>
                    ids.Contains(denial.JobId) || (principals.Contains(denial.Principal) && keys.Contains(denial.IdempotencyKey!))
                )
                .Select(denial => new Known(denial.JobId, denial.Principal, denial.IdempotencyKey, denial.JobHash, null))
                .ToListAsync(cancellationToken)
        );
        var knownIds = known.Select(k => k.JobId).ToList();
        var entries = await db
            .Timeline.AsNoTracking()
            .Where(entry => knownIds.Contains(entry.JobId) && entry.Attempt == 0 && TimelineKinds.Intake.Contains(entry.Kind))
            .OrderBy(entry => entry.EntryId)
            .ToListAsync(cancellationToken);

        // The last entry with an answer: a denial without a bundle precedes it, and decisions at dispatch have no answer.
        // Another principal may have a denial without a bundle under the same id.
        var answers = entries
            .GroupBy(entry => (entry.JobId, entry.Actor))
            .ToDictionary(group => group.Key, group => group.Select(IntakeEntries.Answer).LastOrDefault(answer => answer is not null));
        return known.ConvertAll(k => k with { Answer = answers.GetValueOrDefault((k.JobId, k.Principal)) });
    }

    private sealed record Known(Guid JobId, string Principal, string? Key, string JobHash, JobDecision? Answer);
}
