using Dispatcher.Approvals;

namespace Dispatcher.UnitTests.Approvals;

public sealed class VoteRulesTests
{
    private static readonly (string Principal, string Person)[] People = [("billing", "bo"), ("crm", "cleo")];

    [Theory]
    [InlineData("ana", "ana-key", "", null)]
    [InlineData("bo", "bo-key", "", "own_job")]
    [InlineData("billing", "x", "", "own_job")]
    [InlineData("ana", "billing", "", "own_job")]
    [InlineData("cleo", "cleo-key", "", "excluded")]
    [InlineData("ana", "crm", "", "excluded")]
    [InlineData("crm", "x", "", "excluded")]
    public void Requester_its_person_and_excluded_persons_may_not_vote(string person, string subject, string groups, string? refused)
    {
        var (job, approval) = AnApproval.OfAnyone().With(requirement => requirement with { Exclude = ["crm", "requester"] }).Held();
        var cast = AVote
            .By(person, groups.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .With(vote => vote with { Subject = subject })
            .For(approval);

        Assert.Equal(refused, VoteRules.Eligibility(cast, job.Principal, approval.Requirement, Lookup())?.Code);
    }

    [Fact]
    public void Requester_may_not_vote_without_an_exclusion()
    {
        var (job, approval) = AnApproval.OfAnyone().With(requirement => requirement with { Exclude = [] }).Held();

        Assert.Equal("own_job", VoteRules.Eligibility(AVote.By("bo").For(approval), job.Principal, approval.Requirement, Lookup())?.Code);
    }

    [Theory]
    [InlineData("sre", null)]
    [InlineData("dev", null)]
    [InlineData("crew", "not_in_group")]
    [InlineData("", "not_in_group")]
    public void Vote_counts_only_for_a_required_group(string group, string? refused)
    {
        var (job, approval) = AnApproval.Of(("dev", 1), ("sre", 1)).Held();

        Assert.Equal(
            refused,
            VoteRules.Eligibility(AVote.By("ana", group).For(approval), job.Principal, approval.Requirement, Lookup())?.Code
        );
    }

    [Fact]
    public void Vote_that_names_the_hashes_of_the_approval_counts()
    {
        var (_, approval) = AnApproval.OfAnyone().Held();

        Assert.Null(VoteRules.Timeliness(approval, AVote.By("ana").For(approval), approval.DecideBy));
    }

    [Theory]
    [InlineData("job_hash")]
    [InlineData("policy_hash")]
    [InlineData("view_hash")]
    public void Vote_that_names_another_hash_is_refused_with_the_change(string field)
    {
        var (_, approval) = AnApproval.OfAnyone().Held();
        var other = new string('f', 64);
        var cast = AVote.By("ana").For(approval);
        cast = field switch
        {
            "job_hash" => cast with { JobHash = other },
            "policy_hash" => cast with { PolicyHash = other },
            _ => cast with { ViewHash = other },
        };

        var refusal = VoteRules.Timeliness(approval, cast, AnApproval.Noon)!;

        Assert.Equal("changed", refusal.Code);
        Assert.Equal((field, other), (Assert.Single(refusal.Changed).Field, refusal.Changed[0].Voted));
    }

    [Fact]
    public void Vote_after_the_deadline_is_refused()
    {
        var (_, approval) = AnApproval.OfAnyone().Held();

        Assert.Equal("expired", VoteRules.Timeliness(approval, AVote.By("ana").For(approval), approval.DecideBy + 1)?.Code);
    }

    [Theory]
    [InlineData("Approved")]
    [InlineData("Consumed")]
    [InlineData("Rejected")]
    [InlineData("Expired")]
    [InlineData("Invalidated")]
    public void Vote_on_a_decided_approval_is_refused(string state)
    {
        var (_, approval) = AnApproval.OfAnyone().Held();
        approval.State = state;

        Assert.Equal("not_held", VoteRules.Timeliness(approval, AVote.By("ana").For(approval), AnApproval.Noon)?.Code);
    }

    [Fact]
    public void Person_has_one_vote_with_any_key()
    {
        var (_, approval) = AnApproval.Of(("sre", 2)).Held();
        approval.Votes = [AVote.By("ana", "sre").For(approval).At(0)];
        var again = AVote.By("ana", "sre").With(vote => vote with { Subject = "another-key" }).For(approval);

        Assert.Equal("already_voted", VoteRules.Timeliness(approval, again, AnApproval.Noon)?.Code);
    }

    private static ILookup<string, string> Lookup() =>
        People
            .Concat([(Principal: "billing", Person: "billing"), (Principal: "crm", Person: "crm")])
            .ToLookup(pair => pair.Principal, pair => pair.Person);
}
