using System.Security.Claims;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Policies.Model;
using Dispatcher.Storage;
using Dispatcher.Web;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Approvals;

/// <summary>An approval and its job, without its result. One statement reads both, so that they show the same moment.</summary>
internal sealed record HeldJob(Approval Approval, Job Job)
{
    public static IQueryable<HeldJob> Of(DispatcherDb db, IQueryable<Approval> approvals) =>
        approvals
            .AsNoTracking()
            .Join(db.Jobs.WithoutResult(), approval => approval.JobId, job => job.JobId, (approval, job) => new HeldJob(approval, job));
}

/// <summary>Reads approvals for the HTTP API, with the reason why a vote of the caller would not count.</summary>
internal sealed class ApprovalReads(IDbContextFactory<DispatcherDb> database, Approvers approvers, CurrentBundle current, StoreClock clock)
{
    /// <summary>
    /// Maximum number of rows of one statement. A row has an excerpt of the payload, and up to ten votes with their reasons.
    /// </summary>
    private const int Batch = 200;

    /// <summary>
    /// Maximum number of rows that one request reads. A page that ends here may hold fewer approvals than the limit, and has a next page.
    /// </summary>
    private const int MaxRowsRead = 2_000;

    /// <summary>
    /// Returns a page of the approvals in a state: all of them, or those for which the caller's vote would count. Held approvals are
    /// ordered by risk, highest first, then by age; decided approvals by age, oldest first.
    /// </summary>
    public async Task<Page<ApprovalSummary>> ListAsync(ApprovalQuery query, ClaimsPrincipal caller, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var found = new List<ApprovalSummary>(query.Limit);
        var after = query.After;
        var risks = RiskRanks.Of(current.InForce.Bundle, query.State);
        for (var rowsRead = 0; rowsRead < MaxRowsRead; )
        {
            var batch = Math.Min(Batch, query.Mine ? Batch : query.Limit - found.Count);
            var rows = await ListedApproval.Page(db, query with { After = after }, risks, batch).ToListAsync(cancellationToken);
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

            rowsRead += rows.Count;
            if (rows.Count < batch)
            {
                return new Page<ApprovalSummary>(found, null);
            }
        }

        return new Page<ApprovalSummary>(found, after.ToString());
    }

    /// <summary>Returns one round, or the last one if <paramref name="round"/> is null. Null: there is none.</summary>
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

    /// <summary>Reads the persons behind the requesters and the excluded principals, in one statement.</summary>
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
        return VoteRules.Eligibility(cast, principal, approval.Requirement, people) ?? VoteRules.Timeliness(approval, cast, clock.Now);
    }
}
