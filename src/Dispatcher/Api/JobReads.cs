using System.Security.Claims;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Dispatcher.Web;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Api;

/// <summary>The columns that a list reads: neither payload nor result.</summary>
internal sealed record ListedJob(
    Guid JobId,
    string Topic,
    string Principal,
    JobState State,
    int Attempt,
    Verdict Verdict,
    string? FaultClass,
    long CreatedAt,
    long UpdatedAt
);

/// <summary>Which jobs to list.</summary>
internal sealed record JobQuery(JobState? State, string? Topic, string? Principal, Paging Page);

/// <summary>A job that the caller may see: its id as stored, and its principal.</summary>
internal sealed record VisibleJob(Guid JobId, string Principal);

/// <summary>Reads jobs for a caller: a producer sees its own jobs, the roles of overseers see all.</summary>
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

        var rows = await jobs.OrderByDescending(job => job.CreatedAt)
            .ThenByDescending(job => job.JobId)
            .Take(query.Page.Limit)
            .Select(job => new ListedJob(
                job.JobId,
                job.Topic,
                job.Principal,
                job.State,
                job.Attempt,
                job.Verdict,
                job.FaultClass,
                job.CreatedAt,
                job.UpdatedAt
            ))
            .ToListAsync(cancellationToken);
        return query.Page.Of(rows, JobSummary.Of, job => new Cursor(job.CreatedAt, job.JobId));
    }

    /// <summary>Null when the job does not exist, or the caller may not see it.</summary>
    public async Task<Job?> FindAsync(Guid jobId, ClaimsPrincipal caller, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        return await Visible(db, jobId, caller).FirstOrDefaultAsync(cancellationToken);
    }

    /// <summary>As <see cref="FindAsync"/>, without payload and result.</summary>
    public async Task<VisibleJob?> LocateAsync(Guid jobId, ClaimsPrincipal caller, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        return await Visible(db, jobId, caller)
            .Select(job => new VisibleJob(job.JobId, job.Principal))
            .FirstOrDefaultAsync(cancellationToken);
    }

    /// <summary>
    /// The timeline of a job, of a denied submission, or, by the id of its dead letter, of a submission that could not be read. Null: none
    /// of these exists, or the caller may not see it.
    /// </summary>
    public async Task<IReadOnlyList<TimelineEntry>?> TimelineAsync(Guid jobId, ClaimsPrincipal caller, CancellationToken cancellationToken)
    {
        var own = JobIds.Derived(caller.Subject(), jobId);
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var known = await db
            .Jobs.Where(job => job.JobId == jobId || job.JobId == own)
            .Select(job => new { job.JobId, job.Principal })
            .Concat(
                db.Denials.Where(denial => denial.JobId == jobId || denial.JobId == own)
                    .Select(denial => new { denial.JobId, denial.Principal })
            )
            .Concat(
                db.DeadLetters.Where(letter => letter.DeadLetterId == jobId && letter.JobId == null)
                    .Select(letter => new { JobId = letter.DeadLetterId, letter.Principal })
            )
            .ToListAsync(cancellationToken);
        if (known.OrderBy(one => one.JobId == own).FirstOrDefault(one => MaySee(caller, one.Principal)) is not { } seen)
        {
            return null;
        }

        var entries = await db
            .Timeline.AsNoTracking()
            .Where(entry => entry.JobId == seen.JobId)
            .OrderBy(entry => entry.EntryId)
            .ToListAsync(cancellationToken);
        return caller.MaySeeAll() ? entries : [.. entries.Where(entry => !IsOfAnother(entry, seen.Principal))];
    }

    /// <summary>
    /// A submission that was refused, or denied because no bundle was in force, does not occupy its id. So a submission of another
    /// principal may have an entry under the same id.
    /// </summary>
    private static bool IsOfAnother(TimelineEntry entry, string principal) =>
        entry.Kind is TimelineKinds.Denied or TimelineKinds.Refused && entry.Actor != principal && entry.Actor != TimelineEntry.SystemActor;

    /// <summary>Why the caller cannot read this job.</summary>
    public async Task<string> WhyNotAsync(Guid jobId, ClaimsPrincipal caller, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var own = JobIds.Derived(caller.Subject(), jobId);
        var denials = await db
            .Denials.AsNoTracking()
            .Where(row => row.JobId == jobId || row.JobId == own)
            .Select(row => row.Principal)
            .ToListAsync(cancellationToken);
        return denials.Exists(principal => MaySee(caller, principal))
            ? $"Submission {jobId} was denied at intake, so that no job exists; /api/jobs/{jobId}/timeline shows the reason."
            : $"Job {jobId} does not exist, or this key may not see it.";
    }

    /// <summary>
    /// At most one row is the answer: the first. When another principal has a job under this id, the caller finds its own by the id that it
    /// chose.
    /// </summary>
    private static IQueryable<Job> Visible(DispatcherDb db, Guid jobId, ClaimsPrincipal caller)
    {
        var (seesAll, subject) = (caller.MaySeeAll(), caller.Subject());
        var own = JobIds.Derived(subject, jobId);
        return db
            .Jobs.AsNoTracking()
            .Where(job => (job.JobId == jobId || job.JobId == own) && (seesAll || job.Principal == subject))
            .OrderBy(job => job.JobId == own);
    }

    private static bool MaySee(ClaimsPrincipal caller, string principal) => caller.MaySeeAll() || caller.Subject() == principal;
}
