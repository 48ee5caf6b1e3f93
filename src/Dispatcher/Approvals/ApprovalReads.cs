using System.Security.Claims;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Policies.Model;
using Dispatcher.Storage;
using Dispatcher.Web;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Approvals;

/// <summary>An approval and its job, read in one statement: both are of the same moment.</summary>
internal sealed record HeldJob(Approval Approval, Job Job)
{
    public static IQueryable<HeldJob> Of(DispatcherDb db, IQueryable<Approval> approvals) =>
        approvals
            .AsNoTracking()
            .Join(db.Jobs.AsNoTracking(), approval => approval.JobId, job => job.JobId, (approval, job) => new HeldJob(approval, job));
}

/// <summary>What waits for votes, for whom.</summary>
internal sealed class ApprovalReads(IDbContextFactory<DispatcherDb> database, Approvers approvers, CurrentBundle current, StoreClock clock)
{
    /// <summary>Rows that one statement reads. A row has no payload, but up to ten votes with their reasons.</summary>
    private const int Batch = 200;

    /// <summary>Rows that one request looks at. A page that ends here may hold fewer than asked for, and names the next one.</summary>
    private const int MostLooked = 2_000;

    /// <summary>
    /// A page of the approvals in a state: all of them, or those that the caller's vote would count for. What is held comes with the
    /// riskiest first, then the oldest; what is over comes with the oldest first.
    /// </summary>
    public async Task<Page<ApprovalSummary>> ListAsync(ApprovalQuery query, ClaimsPrincipal caller, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var found = new List<ApprovalSummary>(query.Limit);
        var after = query.After;
        var risks = RiskRanks.Of(current.InForce.Bundle, query.State);
        for (var looked = 0; looked < MostLooked; )
        {
            var most = Math.Min(Batch, query.Mine ? Batch : query.Limit - found.Count);
            var rows = await ListedApproval.Of(db, query.State, risks, after).Take(most).ToListAsync(cancellationToken);
            var people = await PeopleAsync([.. rows.Select(row => (row.Approval, row.Principal))], cancellationToken);
            foreach (var row in rows)
            {
                after = row.Cursor;
                var whyNot = WhyNot(row.Approval, row.Principal, caller, people);
                if (whyNot is null || !query.Mine)
                {
                    found.Add(ApprovalSummary.Of(row, ClassOf(row.Topic), whyNot));
                }

                if (found.Count == query.Limit)
                {
                    return new Page<ApprovalSummary>(found, after.ToString());
                }
            }

            looked += rows.Count;
            if (rows.Count < most)
            {
                return new Page<ApprovalSummary>(found, null);
            }
        }

        return new Page<ApprovalSummary>(found, after.ToString());
    }

    /// <summary>One round, or, with the job's id alone, the last. Null: there is none.</summary>
    public async Task<ApprovalView?> FindAsync(Guid jobId, int? round, ClaimsPrincipal caller, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var rounds = db
            .Approvals.Where(row => row.JobId == jobId && (round == null || row.Round == round))
            .OrderByDescending(row => row.Round)
            .Take(1);
        if (await HeldJob.Of(db, rounds).SingleOrDefaultAsync(cancellationToken) is not { } held)
        {
            return null;
        }

        var people = await PeopleAsync([(held.Approval, held.Job.Principal)], cancellationToken);
        return ApprovalView.Of(held, ClassOf(held.Job.Topic), WhyNot(held.Approval, held.Job.Principal, caller, people));
    }

    private JobClass? ClassOf(string topic) => current.InForce.Bundle?.JobClasses.GetValueOrDefault(topic);

    /// <summary>The people behind each principal that matters, in one read.</summary>
    private async Task<ILookup<string, string>> PeopleAsync(
        IReadOnlyList<(Approval Approval, string Principal)> held,
        CancellationToken cancellationToken
    )
    {
        var principals = held.SelectMany(row => row.Approval.Requirement.Exclude.Append(row.Principal)).Distinct().ToList();
        return await approvers.PeopleByPrincipalAsync(principals, cancellationToken);
    }

    private VoteRefusal? WhyNot(Approval approval, string principal, ClaimsPrincipal caller, ILookup<string, string> people)
    {
        if (!caller.MayVote())
        {
            return new VoteRefusal("no_approver", "The key has neither the role approver nor admin.");
        }

        var cast = caller.Vote(approval.CorrelationId, Vote.Approve, "") with
        {
            JobHash = approval.JobHash,
            PolicyHash = approval.PolicyHash,
        };
        return VoteRules.Standing(cast, principal, approval.Requirement, people) ?? VoteRules.Timeliness(approval, cast, clock.Now);
    }
}
