using System.Text;
using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.UnitTests.Approvals;

namespace Dispatcher.UnitTests.Enforcement;

public sealed class ReviewSnapshotTests
{
    public static TheoryData<string> Changes => new(Changed.Keys);

    private static readonly Dictionary<string, Func<Job, Job>> Changed = new()
    {
        ["topic"] = job => job with { Topic = "job.other" },
        ["principal"] = job => job with { Principal = "crm" },
        ["labels"] = job => job with { Labels = new Dictionary<string, string> { ["env"] = "dev" } },
        ["risk tags"] = job => job with { RiskTags = ["egress"] },
        ["payload"] = job => job with { Payload = Encoding.UTF8.GetBytes("{ }") },
        ["workflow"] = job => job with { WorkflowId = "w" },
        ["tokens"] = job => job with { CostTokens = 1 },
        ["money"] = job => job with { CostUsdMicros = 1 },
        ["rules"] = job => job with { Rules = ["other"] },
        ["reason"] = job => job with { Reason = "other" },
        ["constraints"] = job => job with { Constraints = new Constraints { TimeoutMs = 1 } },
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public void Hash_covers_every_member_of_the_snapshot(string what)
    {
        var (job, approval) = AnApproval.OfAnyone().Held();

        Assert.Equal(approval.ViewHash, ReviewSnapshot.Of(job, approval).Hash());
        Assert.NotEqual(approval.ViewHash, ReviewSnapshot.Of(Changed[what](job), approval).Hash());
    }

    [Fact]
    public void Hash_does_not_depend_on_the_order_of_labels()
    {
        var (job, approval) = AnApproval.OfAnyone().Held();
        var one = job with
        {
            Labels = new Dictionary<string, string> { ["a"] = "1", ["b"] = "2" },
        };
        var other = job with
        {
            Labels = new Dictionary<string, string> { ["b"] = "2", ["a"] = "1" },
        };

        Assert.Equal(ReviewSnapshot.Of(one, approval).Hash(), ReviewSnapshot.Of(other, approval).Hash());
    }

    [Fact]
    public void Payload_is_shown_unchanged()
    {
        var (job, approval) = AnApproval.OfAnyone().Held();

        Assert.Equal("""{ "n": 1e2 }""", ReviewSnapshot.Of(job with { Payload = """{ "n": 1e2 }"""u8.ToArray() }, approval).Payload);
    }
}
