using System.Security.Claims;
using Dispatcher.Jobs;
using Dispatcher.Judging;
using Dispatcher.Policies;
using Dispatcher.Storing;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Approvals;

/// <summary>An approval and its job, read together.</summary>
internal sealed record HeldJob(Approval Approval, Job Job);

/// <summary>What waits for votes, for whom.</summary>
internal sealed class ApprovalReads(IDbContextFactory<DispatcherDb> database, Approvers approvers, CurrentBundle current, StoreClock clock)
{
    /// <summary>Of more than these only the oldest are looked at: nobody decides on the rest today.</summary>
    private const int Most = 1_000;

    private static readonly string[] ByRisk = ["high", "medium", "low"];

    /// <summary>Approvals in a state: the riskiest first, then the oldest; all of them, or those that the caller's vote would count for.</summary>
    public async Task<IReadOnlyList<ApprovalView>> ListAsync(string state, ClaimsPrincipal caller, bool mine, int limit, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var rows = await db.Approvals.AsNoTracking().Where(approval => approval.State == state).OrderBy(approval => approval.CreatedAt).ThenBy(approval => approval.CorrelationId).Take(Most)
            .Join(db.Jobs.AsNoTracking(), approval => approval.JobId, job => job.JobId, (approval, job) => new { approval, job }).ToListAsync(cancellationToken);
        var held = rows.ConvertAll(row => new HeldJob(row.approval, row.job));
        var people = await PeopleAsync(held, cancellationToken);
        var views = held.ConvertAll(one => ApprovalView.Of(one, ClassOf(one.Job), WhyNot(one, caller, people)));
        return [.. views.Where(view => !mine || view.WhyNot is null).OrderBy(view => Array.IndexOf(ByRisk, view.Risk)).ThenBy(view => view.CreatedAt).Take(limit)];
    }

    /// <summary>One round, or, with the job's id alone, the last. Null: there is none.</summary>
    public async Task<ApprovalView?> FindAsync(Guid jobId, int? round, ClaimsPrincipal caller, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var approval = await db.Approvals.AsNoTracking().Where(row => row.JobId == jobId && (round == null || row.Round == round)).OrderByDescending(row => row.Round).FirstOrDefaultAsync(cancellationToken);
        if (approval is null)
        {
            return null;
        }

        var held = new HeldJob(approval, await db.Jobs.AsNoTracking().SingleAsync(job => job.JobId == jobId, cancellationToken));
        return ApprovalView.Of(held, ClassOf(held.Job), WhyNot(held, caller, await PeopleAsync([held], cancellationToken)));
    }

    private JobClass? ClassOf(Job job) => current.InForce.Bundle?.JobClasses.GetValueOrDefault(job.Topic);

    /// <summary>The people behind each principal that matters, in one read.</summary>
    private async Task<ILookup<string, string>> PeopleAsync(IReadOnlyList<HeldJob> held, CancellationToken cancellationToken)
    {
        var principals = held.SelectMany(row => row.Approval.Requirement.Exclude.Append(row.Job.Principal)).Distinct().ToList();
        return await approvers.PeopleByPrincipalAsync(principals, cancellationToken);
    }

    private VoteRefusal? WhyNot(HeldJob held, ClaimsPrincipal caller, ILookup<string, string> people)
    {
        if (!caller.MayVote())
        {
            return new VoteRefusal("no_approver", "The key has neither the role approver nor admin.");
        }

        var cast = caller.Vote(held.Approval.CorrelationId, Vote.Approve, "") with { JobHash = held.Approval.JobHash, PolicyHash = held.Approval.PolicyHash };
        return VoteRules.Standing(cast, held.Job.Principal, held.Approval.Requirement, people)
            ?? VoteRules.Timeliness(held.Approval, cast, clock.Now);
    }
}
