using System.Security.Claims;
using Dispatcher.Contracts;
using Dispatcher.Hosting;
using Dispatcher.Keys;
using Dispatcher.Storing;
using Dispatcher.Timelines;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Jobs;

/// <summary>What a list reads of a job: neither payload nor result.</summary>
internal sealed record ListedJob(
    Guid JobId, string Topic, string Principal, JobState State, int Attempt, Verdict Verdict, string? FaultClass, long CreatedAt, long UpdatedAt);

/// <summary>Which jobs to list.</summary>
internal sealed record JobQuery(JobState? State, string? Topic, string? Principal, Paging Page);

/// <summary>What callers may read of jobs: a producer its own, others as their role says.</summary>
internal sealed class JobReads(IDbContextFactory<DispatcherDb> database)
{
    /// <summary>Newest first.</summary>
    public async Task<Page<JobSummary>> ListAsync(JobQuery query, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var jobs = db.Jobs.AsNoTracking();
        jobs = query.State is { } state ? jobs.Where(job => job.State == state) : jobs;
        jobs = query.Topic is { } topic ? jobs.Where(job => job.Topic == topic) : jobs;
        jobs = query.Principal is { } principal ? jobs.Where(job => job.Principal == principal) : jobs;
        if (query.Page.After is var (at, id))
        {
            jobs = jobs.Where(job => job.CreatedAt < at || (job.CreatedAt == at && job.JobId.CompareTo(id) < 0));
        }

        var rows = await jobs.OrderByDescending(job => job.CreatedAt).ThenByDescending(job => job.JobId).Take(query.Page.Limit)
            .Select(job => new ListedJob(
                job.JobId, job.Topic, job.Principal, job.State, job.Attempt, job.Verdict, job.FaultClass, job.CreatedAt, job.UpdatedAt))
            .ToListAsync(cancellationToken);
        return query.Page.Of(rows, JobSummary.Of, job => new Cursor(job.CreatedAt, job.JobId));
    }

    /// <summary>Null when there is none, or the caller may not see it.</summary>
    public async Task<Job?> FindAsync(Guid jobId, ClaimsPrincipal caller, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var job = await db.Jobs.AsNoTracking().SingleOrDefaultAsync(row => row.JobId == jobId, cancellationToken);
        return job is not null && MaySee(caller, job.Principal) ? job : null;
    }

    /// <summary>The timeline of a job, of a submission that was denied, or, by the id of its dead letter, of one that could not be read. Null when there is none, or the caller may not see it.</summary>
    public async Task<IReadOnlyList<TimelineEntry>?> TimelineAsync(Guid jobId, ClaimsPrincipal caller, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var principal = await db.Jobs.Where(job => job.JobId == jobId).Select(job => job.Principal)
            .Concat(db.Denials.Where(denial => denial.JobId == jobId).Select(denial => denial.Principal))
            .Concat(db.DeadLetters.Where(letter => letter.DeadLetterId == jobId && letter.JobId == null).Select(letter => letter.Principal)).FirstOrDefaultAsync(cancellationToken);
        return principal is null || !MaySee(caller, principal)
            ? null
            : await db.Timeline.AsNoTracking().Where(entry => entry.JobId == jobId).OrderBy(entry => entry.EntryId).ToListAsync(cancellationToken);
    }

    /// <summary>What to say of a job that is not shown.</summary>
    public async Task<string> WhyNotAsync(Guid jobId, ClaimsPrincipal caller, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var denial = await db.Denials.AsNoTracking().SingleOrDefaultAsync(row => row.JobId == jobId, cancellationToken);
        return denial is not null && MaySee(caller, denial.Principal)
            ? $"Submission {jobId} was denied at intake, so that there is no job; /api/jobs/{jobId}/timeline tells why."
            : $"There is no job {jobId} that this key may see.";
    }

    private static bool MaySee(ClaimsPrincipal caller, string principal) => caller.MaySeeAll() || caller.Subject() == principal;
}
