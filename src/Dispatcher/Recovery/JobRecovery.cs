using System.Data.Common;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Recovery;

/// <summary>
/// Takes the outcome of an attempt and moves the job to its next state. Only the outcome of the run that holds the claim is
/// applied.
/// </summary>
internal sealed partial class JobRecovery(
    MoveWriter moves,
    IStore store,
    LiveJobs live,
    IDbContextFactory<DispatcherDb> database,
    CurrentBundle current,
    StoreClock clock,
    TimeProvider time,
    ILogger<JobRecovery> logger
) : IDisposable
{
    private const int MaxTries = 5;

    /// <summary>
    /// Maximum number of late outcomes of one job on the timeline; more are only logged. The timeline deletes no entry, and the
    /// limit keeps one worker from filling it.
    /// </summary>
    private const int MaxLateOutcomes = 20;

    /// <summary>
    /// One caller at a time counts and records late outcomes, so that each sees what the one before wrote. They are rare.
    /// </summary>
    private readonly SemaphoreSlim _lateLock = new(1, 1);

    /// <summary>Records the outcomes, each separately. <paramref name="sender"/> is the principal that the broker authenticated.</summary>
    // :: Step 8
    public async Task RecordAsync(IReadOnlyList<AttemptOutcome> outcomes, string sender, CancellationToken cancellationToken)
    {
        // A repeated outcome of one run has no effect. Handled at the same time, the repeats would only compete for the row.
        var once = outcomes.DistinctBy(outcome => (outcome.JobId, outcome.Attempt, outcome.RunId)).ToList();
        var reported = once.ToLookup(outcome => outcome.JobId);
        var jobs = await live.ReadAsync(
            [.. reported.Select(group => group.Key)],
            job => reported[job.JobId].All(outcome => IsFromCurrentRun(job, outcome, sender)),
            cancellationToken
        );
        if (once.FirstOrDefault(outcome => !jobs.ContainsKey(outcome.JobId)) is { } unknown)
        {
            Log.Unknown(logger, once.Count(outcome => !jobs.ContainsKey(outcome.JobId)), sender, unknown.JobId, unknown.RunId);
        }

        var late = await Task.WhenAll(
            once.Select(outcome => RecordStorableAsync(outcome, jobs.GetValueOrDefault(outcome.JobId), sender, cancellationToken))
        );
        await LateAsync([.. late.OfType<LateOutcome>()], sender, cancellationToken);
    }

    /// <summary>
    /// Records the outcome. If the database refuses its data, a retry would fail too: the run has ended, and its job gets a terminal fault.
    /// </summary>
    private async Task<LateOutcome?> RecordStorableAsync(
        AttemptOutcome outcome,
        Job? job,
        string sender,
        CancellationToken cancellationToken
    )
    {
        try
        {
            return await RecordAsync(outcome, job, sender, cancellationToken);
        }
        catch (DbException refused) when (refused.IsAboutData() && outcome.Fault?.Code != FaultCodes.BadResult)
        {
            using var scope = job is null ? null : JobScope.Begin(logger, job);
            Log.NotStorable(logger, outcome.JobId, outcome.Attempt, refused);
            var fault = OutcomeIdentity.Fault("The database refused the outcome; the log of the server states why.");
            var ended = outcome with { Kind = OutcomeKind.Faulted, Result = null, Fault = fault };
            return await RecordAsync(ended, job, sender, cancellationToken);
        }
    }

    /// <summary>Null: the outcome is applied, or it repeats one that was applied.</summary>
    private async Task<LateOutcome?> RecordAsync(AttemptOutcome outcome, Job? job, string sender, CancellationToken cancellationToken)
    {
        for (var tries = 0; job is not null && tries < MaxTries; tries++)
        {
            if (!IsFromCurrentRun(job, outcome, sender))
            {
                break;
            }

            var move = RecoveryMoves.Of(job, outcome, ContextOf(outcome));
            using var span = JobSpans.Outcome(job)?.SetTag("dispatcher.state", WireNames.Of(move.After.State));
            if (await moves.AddAsync(move, cancellationToken) == MoveResult.Moved)
            {
                return null;
            }

            // The job has moved since it was read: a cancel was requested, or the sweep came first. Read it again.
            job = await live.StoredAsync(outcome.JobId, cancellationToken);
        }

        return job is null || IsRepeated(job, outcome, sender) ? null : new LateOutcome(outcome, job);
    }

    private static bool IsFromCurrentRun(Job job, AttemptOutcome outcome, string sender) =>
        job.State == JobState.Running && job.Attempt == outcome.Attempt && job.RunId == outcome.RunId && job.ClaimedBy == sender;

    /// <summary>
    /// Whether the run has already reported its end. Any other outcome that is not applied is late and kept on the timeline.
    /// </summary>
    private static bool IsRepeated(Job job, AttemptOutcome outcome, string sender) =>
        job.RunId == outcome.RunId && job.ClaimedBy == sender && job.State != JobState.Running && job.Fault?.Code != FaultCodes.WorkerLost;

    /// <summary>Handles all late outcomes of one message with one log line and at most two statements.</summary>
    private async Task LateAsync(IReadOnlyList<LateOutcome> late, string sender, CancellationToken cancellationToken)
    {
        if (late.Count == 0)
        {
            return;
        }

        var (first, at) = late[0];
        Log.Late(logger, late.Count, sender, first.JobId, first.Attempt, at.State);

        // Only the principal that claimed the job may add to its timeline: any other worker could fill it.
        var claimed = late.Where(one => one.Job.ClaimedBy == sender).ToLookup(one => one.Job.JobId);
        if (claimed.Count > 0)
        {
            await RecordLateAsync(claimed, sender, cancellationToken);
        }
    }

    private async Task RecordLateAsync(ILookup<Guid, LateOutcome> late, string sender, CancellationToken cancellationToken)
    {
        await _lateLock.WaitAsync(cancellationToken);
        try
        {
            var ids = late.Select(group => group.Key).ToList();
            await using var db = await database.CreateDbContextAsync(cancellationToken);
            var before = await db
                .Timeline.Where(entry => ids.Contains(entry.JobId) && entry.Kind == TimelineKinds.LateOutcome)
                .GroupBy(entry => entry.JobId)
                .Select(group => new { group.Key, Count = group.Count() })
                .ToDictionaryAsync(group => group.Key, group => group.Count, cancellationToken);
            var entries = late.SelectMany(group => group.Take(MaxLateOutcomes - before.GetValueOrDefault(group.Key)))
                .Select(Entry)
                .ToList();
            if (entries.Count > 0)
            {
                await store.RecordAsync(entries, [], cancellationToken);
            }
        }
        finally
        {
            _lateLock.Release();
        }

        TimelineEntry Entry(LateOutcome one)
        {
            var hasName = !RegistrationCheck.IsBad(one.Outcome.Worker);
            return OutcomeEntries.Late(hasName ? one.Outcome : one.Outcome with { Worker = one.Job.Worker ?? "" }, sender, one.Job.State);
        }
    }

    public void Dispose() => _lateLock.Dispose();

    private RecoveryContext ContextOf(AttemptOutcome outcome) =>
        current.InForce.Bundle is { } bundle || outcome.Kind != OutcomeKind.Faulted
            ? new RecoveryContext(current.InForce.Bundle, clock.Now, time)
            : throw new BundleUnavailableException(current.InForce.Hash);

    /// <summary>An outcome that was not applied, and its job as it was read.</summary>
    private sealed record LateOutcome(AttemptOutcome Outcome, Job Job);

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.OutcomeUnknown,
            LogLevel.Warning,
            "Dropped {Count} outcome(s) of {Sender} for jobs that the store does not have. The first is of job {JobId}, run {RunId}. "
                + "If the store was restored from a copy, these runs did what they report: see ops/upgrade.md, Restore"
        )]
        public static partial void Unknown(ILogger logger, int count, string sender, Guid jobId, Guid runId);

        [LoggerMessage(
            EventIds.OutcomeLate,
            LogLevel.Warning,
            "Did not apply {Count} late outcome(s) of one message from {Sender}. "
                + "The first is of job {JobId}, attempt {Attempt}: the job is {State}, and another run or principal holds or held it"
        )]
        public static partial void Late(ILogger logger, int count, string sender, Guid jobId, int attempt, JobState state);

        [LoggerMessage(
            EventIds.OutcomeNotStorable,
            LogLevel.Error,
            "The database refused the outcome of job {JobId}, attempt {Attempt}; the job ends with the terminal fault bad_result"
        )]
        public static partial void NotStorable(ILogger logger, Guid jobId, int attempt, Exception reason);
    }
}
