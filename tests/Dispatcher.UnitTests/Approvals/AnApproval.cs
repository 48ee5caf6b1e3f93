using Dispatcher.Approvals;
using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Approvals;

/// <summary>Builds a held job and its approval: by <c>billing</c>, held at noon for 24 hours, then usable for one hour.</summary>
internal sealed record AnApproval(ApprovalRequirement Requirement)
{
    public const string Person = "ana";

    public static readonly long Noon = AJob.Micros(AJob.Noon);

    public static AnApproval OfAnyone() => new(ApprovalRequirement.Default);

    public static AnApproval Of(params (string Group, int Count)[] groups) =>
        new(ApprovalRequirement.Default with { Groups = [.. groups.Select(group => new ApprovalGroup(group.Group, group.Count))] });

    public AnApproval With(Func<ApprovalRequirement, ApprovalRequirement> change) => new(change(Requirement));

    /// <summary>The decision on the job under unchanged rules.</summary>
    public Decision Decision() =>
        new()
        {
            Verdict = Verdict.RequireApproval,
            Rules = ["approval-prod-write"],
            MatchedRules = ["approval-prod-write"],
            Reason = "production deployment requires human approval",
            PolicyHash = new string('1', 64),
            BasisHash = new string('2', 64),
            Approval = Requirement,
        };

    public (Job Job, Approval Approval) Held() =>
        ApprovalRounds.Hold(
            AJob.OnTopic("job.deploy.apply").With(job => job with { JobHash = JobHash.Of(job), CreatedAt = Noon }).Stored,
            Decision(),
            Noon
        );

    /// <summary>Approved at noon by <paramref name="people"/>, each with all required groups.</summary>
    public (Job Job, Approval Approval) Approved(params string[] people)
    {
        var (job, approval) = Held();
        approval.State = ApprovalStates.Approved;
        approval.UseBy = Noon + 3_600_000_000;
        approval.Votes =
        [
            .. people.Select(person => AVote.By(person, [.. Requirement.Groups.Select(group => group.Group)]).For(approval).At(Noon)),
        ];
        return (job with { State = JobState.Approved }, approval);
    }
}

/// <summary>Builds a vote that approves.</summary>
internal sealed record AVote(CastVote Cast)
{
    public static AVote By(string person, params string[] groups) =>
        new(
            new CastVote
            {
                ApprovalId = Guid.Empty,
                Verdict = Vote.Approve,
                Reason = "looked at it",
                Person = person,
                Subject = person + "-key",
                Groups = groups,
                JobHash = "",
                PolicyHash = "",
            }
        );

    public AVote With(Func<CastVote, CastVote> change) => new(change(Cast));

    public CastVote For(Approval approval) =>
        Cast with
        {
            ApprovalId = approval.CorrelationId,
            JobHash = approval.JobHash,
            PolicyHash = approval.PolicyHash,
            ViewHash = approval.ViewHash,
        };
}
