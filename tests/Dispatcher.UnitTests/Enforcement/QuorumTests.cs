using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.UnitTests.Approvals;

namespace Dispatcher.UnitTests.Enforcement;

public sealed class QuorumTests
{
    [Theory]
    [InlineData("", "ana", true)]
    [InlineData("", "", false)]
    [InlineData("sre:1", "ana=sre", true)]
    [InlineData("sre:1", "ana=dev", false)]
    [InlineData("sre:2", "ana=sre", false)]
    [InlineData("sre:2", "ana=sre bo=sre", true)]
    [InlineData("sre:2", "ana=sre bo=dev", false)]
    [InlineData("sre:1 dev:1", "ana=sre", false)]
    [InlineData("sre:1 dev:1", "ana=sre bo=dev", true)]
    [InlineData("sre:1 dev:1", "ana=sre,dev", true)]
    [InlineData("sre:2 dev:1", "ana=sre,dev bo=dev", false)]
    public void Quorum_counts_different_persons_in_every_group(string groups, string approvers, bool enough)
    {
        var requirement = Requirement(groups);
        var voters = Voters(approvers);

        Assert.Equal(enough, Quorum.IsEnough(requirement.Requirement, voters));
        Assert.Equal(enough, Quorum.Missing(requirement.Requirement, voters).Length == 0);
    }

    [Fact]
    public void Missing_votes_are_named_for_each_group() =>
        Assert.Equal("1 of dev, 2 of sre", Quorum.Missing(Requirement("dev:2 sre:2").Requirement, Voters("ana=dev")));

    [Fact]
    public void Rejection_does_not_count_as_an_approval()
    {
        var (_, approval) = AnApproval.OfAnyone().Held();
        var no = AVote.By("ana").With(cast => cast with { Verdict = Vote.Reject }).For(approval).At(0);

        Assert.Empty(Quorum.Approvers([no]));
    }

    private static AnApproval Requirement(string groups) =>
        AnApproval.Of([
            .. groups
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)
                .Select(group => group.Split(':'))
                .Select(parts => (parts[0], int.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture))),
        ]);

    private static List<Voter> Voters(string approvers) =>
        [
            .. approvers
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)
                .Select(voter => voter.Split('='))
                .Select(parts => new Voter(parts[0], parts.Length == 1 ? [] : parts[1].Split(','))),
        ];
}
