using System.Data.Common;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Judging;
using Dispatcher.Storing;
using Dispatcher.Timelines;
using Dispatcher.Workers;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Recovering;

/// <summary>Steps 7 and 8: takes the outcome of an attempt and moves the job to where it leads. Only the run that holds the claim is heard.</summary>
internal sealed partial class JobRecovery(
    MoveWriter moves, IStore store, IDbContextFactory<DispatcherDb> database, CurrentBundle current, StoreClock clock, TimeProvider time, ILogger<JobRecovery> logger) : IDisposable
{
    private const int Tries = 5;

    /// <summary>
    /// Late outcomes of one job that the timeline keeps; more are only logged. The timeline is never cut, and a worker could fill it.
    /// </summary>
    private const int MostLate = 20;

    /// <summary>Late outcomes are rare. One after the other, each sees what the one before wrote.</summary>
    private readonly SemaphoreSlim _oneLate = new(1, 1);

    /// <summary>Stores these outcomes, each by itself. <paramref name="sender"/> is the principal the broker vouches for.</summary>
    public async Task RecordAsync(IReadOnlyList<AttemptOutcome> outcomes, string sender, CancellationToken cancellationToken)
    {
        var ids = outcomes.Select(outcome => outcome.JobId).Distinct().ToList();
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var jobs = await db.Jobs.Where(job => ids.Contains(job.JobId)).WithoutPayload().ToDictionaryAsync(job => job.JobId, cancellationToken);
        await Task.WhenAll(outcomes.Select(outcome =>
            RecordStorableAsync(outcome, jobs.GetValueOrDefault(outcome.JobId), sender, cancellationToken)));
    }

    /// <summary>What the database refuses it will refuse again: the run has ended, and its job gets a terminal fault instead.</summary>
    private async Task RecordStorableAsync(AttemptOutcome outcome, Job? job, string sender, CancellationToken cancellationToken)
    {
        try
        {
            await RecordAsync(outcome, job, sender, cancellationToken);
        }
        catch (DbException refused) when (refused.IsAboutData() && outcome.Fault?.Code != FaultCodes.BadResult)
        {
            Log.NotStorable(logger, outcome.JobId, outcome.Attempt, refused);
            var fault = OutcomeIdentity.Fault("The database does not take the outcome; the log of the server says why.");
            await RecordAsync(outcome with { Kind = OutcomeKind.Faulted, Result = null, Fault = fault }, job, sender, cancellationToken);
        }
    }

    private async Task RecordAsync(AttemptOutcome outcome, Job? job, string sender, CancellationToken cancellationToken)
    {
        for (var tries = 0; job is not null && tries < Tries; tries++)
        {
            if (!IsHeard(job, outcome, sender))
            {
                break;
            }

            if (await moves.AddAsync(Recovery.Of(job, outcome, Surroundings(outcome)), cancellationToken) == MoveResult.Moved)
            {
                return;
            }

            // Somebody moved it between: a cancel was noted, or the sweep was first. Look again.
            await using var db = await database.CreateDbContextAsync(cancellationToken);
            job = await db.Jobs.Where(row => row.JobId == outcome.JobId).WithoutPayload().SingleAsync(cancellationToken);
        }

        await LateAsync(outcome, job, sender, cancellationToken);
    }

    private static bool IsHeard(Job job, AttemptOutcome outcome, string sender) =>
        job.State == JobState.Running && job.Attempt == outcome.Attempt && job.RunId == outcome.RunId && job.ClaimedBy == sender;

    /// <summary>An outcome of a run that has told its end already came twice and says nothing new; any other that is not heard is kept on the timeline.</summary>
    private async Task LateAsync(AttemptOutcome outcome, Job? job, string sender, CancellationToken cancellationToken)
    {
        var again = job is not null && job.RunId == outcome.RunId && job.ClaimedBy == sender && job.State != JobState.Running && job.Fault?.Code != FaultCodes.WorkerLost;
        if (job is null || again)
        {
            return;
        }

        Log.Late(logger, outcome.JobId, outcome.Attempt, sender, job.State);

        // Only who has claimed the job writes on its timeline: it is never cut, and a stranger could fill it.
        if (job.ClaimedBy == sender)
        {
            var late = RegistrationCheck.IsBad(outcome.Worker) ? outcome with { Worker = job.Worker ?? "" } : outcome;
            await RecordLateAsync(late, job, sender, cancellationToken);
        }
    }

    private async Task RecordLateAsync(AttemptOutcome outcome, Job job, string sender, CancellationToken cancellationToken)
    {
        await _oneLate.WaitAsync(cancellationToken);
        try
        {
            await using var db = await database.CreateDbContextAsync(cancellationToken);
            var late = db.Timeline.Where(entry => entry.JobId == job.JobId && entry.Kind == TimelineKinds.LateOutcome);
            if (await late.CountAsync(cancellationToken) < MostLate)
            {
                await store.RecordAsync([TimelineDetails.Late(outcome, sender, job.State)], [], cancellationToken);
            }
        }
        finally
        {
            _oneLate.Release();
        }
    }

    public void Dispose() => _oneLate.Dispose();

    private Surroundings Surroundings(AttemptOutcome outcome) =>
        current.InForce.Bundle is { } bundle || outcome.Kind != OutcomeKind.Faulted
            ? new Surroundings(current.InForce.Bundle, clock.Now, time)
            : throw new BundleAwayException(current.InForce.Hash);

    private static partial class Log
    {
        [LoggerMessage(EventIds.OutcomeLate, LogLevel.Warning, "An outcome of job {JobId}, attempt {Attempt}, from {Sender} is not taken: the job is {State} under another run or another principal")]
        public static partial void Late(ILogger logger, Guid jobId, int attempt, string sender, JobState state);

        [LoggerMessage(
            EventIds.OutcomeNotStorable, LogLevel.Error,
            "The database does not take the outcome of job {JobId}, attempt {Attempt}; the job ends with the terminal fault bad_result")]
        public static partial void NotStorable(ILogger logger, Guid jobId, int attempt, Exception reason);
    }
}
