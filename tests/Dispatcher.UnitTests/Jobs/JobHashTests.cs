using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Storage;

namespace Dispatcher.UnitTests.Jobs;

/// <summary>
/// The vectors were computed by a second implementation, from the doc comment of <see cref="JobHash"/> alone. They must never change.
/// </summary>
public sealed class JobHashTests
{
    private const string Full = """
        "labels":{"env":"dev","B":"x","ä":""},"risk_tags":["pii","egress"],"payload":[1],"workflow_id":"nightly","idempotency_key":"k-1",
        "estimated_cost":{"tokens":1200,"usd_micros":3000},"not_after":"2026-04-01T12:00:00Z"
        """;

    /// <summary>Members of a submission that name the request and not the work.</summary>
    private static readonly string[] NotHashed = ["v", "job_id"];

    /// <summary>One other value for each member.</summary>
    private static readonly Dictionary<string, string> Others = new()
    {
        ["v"] = "1",
        ["job_id"] = "\"0197f3a0-7c1e-7b7a-9f53-0d4c2e6a1b11\"",
        ["topic"] = "\"job.repo.write\"",
        ["labels"] = """{"env":"prod"}""",
        ["risk_tags"] = """["egress"]""",
        ["payload"] = """{"a":1}""",
        ["idempotency_key"] = "\"other\"",
        ["workflow_id"] = "\"other\"",
        ["estimated_cost"] = """{"tokens":1}""",
        ["not_after"] = "\"2026-04-01T12:00:01Z\"",
    };

    [Theory]
    [InlineData("\"v\":1", "dfee2fc8472320e363fc446dd68f33af39a4b0f08de790d2d03da005e3fa3c15")]
    [InlineData("\"payload\":{}", "dfee2fc8472320e363fc446dd68f33af39a4b0f08de790d2d03da005e3fa3c15")]
    [InlineData("\"payload\": \n{ \"a\" :\t1 ,\n\"b\":[ ] } ", "600d22bfeb055fe46993d7cd736897170662335a967f75d824586ec5a2f3fcc0")]
    [InlineData("\"payload\":{\"a\":\"\\u00e9\"}", "8ff5b083843a6903dd460ccab60c67edd3b2442f82b0cf3b6aac4200be247c7c")]
    [InlineData("\"payload\":{\"a\":\"é\"}", "022de48b11a78287afb27ecccc45c7fb3a4dbb8c08c84354537ae2aa3f03e0d8")]
    [InlineData("\"payload\":{\"n\":1e2}", "7fa07d4230a3681e330b96420399118aa813d447824d7db26279ff8bf268b813")]
    [InlineData("\"payload\":{\"n\":100}", "0ef747ee1de3ff39bb386967edaaaf354885cad079d043089b2ec91f6c2080c2")]
    [InlineData("\"labels\":{\"a\":\"1\",\"b\":\"2\"}", "c280422f2b35c7acfdb22621a16305a8c1593182cc38b74f924505fe0ab0575c")]
    [InlineData("\"labels\":{\"b\":\"2\",\"a\":\"1\"}", "c280422f2b35c7acfdb22621a16305a8c1593182cc38b74f924505fe0ab0575c")]
    [InlineData("\"risk_tags\":[\"pii\",\"egress\",\"pii\"]", "d777ca6c640bb488a7f4e222a7767e4b6e5c76706cf35664b4bf6a7f4f6b26ef")]
    [InlineData("\"risk_tags\":[\"egress\",\"pii\"]", "d777ca6c640bb488a7f4e222a7767e4b6e5c76706cf35664b4bf6a7f4f6b26ef")]
    [InlineData("\"idempotency_key\":\"\"", "a2cbcc679a397a75ed8ae5f668381354154251234b99f734807d60f416f82c49")]
    [InlineData("\"workflow_id\":\"\"", "e12b7c9f9e869fd98dcc098abb15f1fcdc6160574a6c8fe09abe410779582231")]
    [InlineData("\"estimated_cost\":{}", "7bfe8a9d9c54905613f4d681610f2d820dbb5a6aa74ceba514d22802deb8e8a4")]
    [InlineData("\"estimated_cost\":null", "dfee2fc8472320e363fc446dd68f33af39a4b0f08de790d2d03da005e3fa3c15")]
    [InlineData(Full, "c6dd9b60792ee840ad9807aea60e42d9634b7841fe46bee5558927a48484bedf")]
    public void Hash_of_a_submission_never_changes(string members, string hash) =>
        Assert.Equal(hash, ASubmission.With(members).Job().JobHash);

    [Fact]
    public void Every_member_of_a_submission_is_in_the_hash_or_left_out_on_purpose()
    {
        var members = SampleMessages.NamesOf<SubmitJob>();
        Assert.Equal(members.Order(), Others.Keys.Order());
        var plain = ASubmission.Of("""{"topic":"job.repo.read"}""").Job().JobHash;

        foreach (var member in members)
        {
            var json =
                member == "topic"
                    ? $$"""{"topic":{{Others[member]}}}"""
                    : $$"""{"topic":"job.repo.read","{{member}}":{{Others[member]}}}""";
            Assert.Equal((member, !NotHashed.Contains(member)), (member, ASubmission.Of(json).Job().JobHash != plain));
        }
    }

    [Fact]
    public void Every_stored_fact_of_a_job_is_in_the_hash_or_left_out_on_purpose()
    {
        Dictionary<string, Func<Job, Job>> hashed = new()
        {
            ["principal"] = job => job with { Principal = "other" },
            ["topic"] = job => job with { Topic = "test.other" },
            ["labels"] = job => job with { Labels = new Dictionary<string, string> { ["env"] = "dev" } },
            ["risk_tags"] = job => job with { RiskTags = ["pii"] },
            ["payload"] = job => job with { Payload = "{ }"u8.ToArray() },
            ["idempotency_key"] = job => job with { IdempotencyKey = "k" },
            ["workflow_id"] = job => job with { WorkflowId = "w" },
            ["cost_tokens"] = job => job with { CostTokens = 0 },
            ["cost_usd_micros"] = job => job with { CostUsdMicros = 0 },
            ["not_after"] = job => job with { NotAfter = 0 },
        };
        string[] leftOut = ["job_id", "job_hash", "reply_to", "correlation_id", "trace_parent"];
        var job = AJob.ToTest();

        Assert.Equal(Columns.JobFacts.Select(column => column.Name).Order(), hashed.Keys.Concat(leftOut).Order());
        Assert.Equal(
            hashed.Count + 1,
            hashed.Values.Select(change => JobHash.Of(job.With(change).Stored)).Append(JobHash.Of(job.Stored)).Distinct().Count()
        );
    }

    [Fact]
    public void Text_that_moves_from_one_part_to_the_next_changes_the_hash()
    {
        var one = AJob.ToTest().WithLabel("a", "bc").Stored;
        var other = AJob.ToTest().WithLabel("ab", "c").Stored;

        Assert.NotEqual(JobHash.Of(one), JobHash.Of(other));
    }

    [Fact]
    public void Progress_of_a_job_is_not_in_the_hash() =>
        Assert.Equal(JobHash.Of(AJob.ToTest().Stored), JobHash.Of(AJob.ToTest().Running(3).CancelRequested().Stored));
}
