using System.Text;
using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Intake;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.UnitTests.Hosting;

namespace Dispatcher.UnitTests.Outbox;

/// <summary>The result of a job goes to the reply queue of its submitter, and nowhere else.</summary>
public sealed class FinalReplyTests
{
    private const string Queue = "reply.billing.1";

    private static readonly Job Succeeded = AJob.OnTopic("job.repo.read")
        .In(JobState.Succeeded)
        .With(job => job with { Result = """{"n": "é"}"""u8.ToArray() })
        .Stored;

    [Fact]
    public async Task The_reply_of_a_success_carries_the_result_and_the_event_does_not()
    {
        await using var server = await AServer.MigratedAsync();
        var events = server.Get<JobEvents>();

        var reply = events.Final(Succeeded, Queue, "order-17");

        Assert.Equal((Queue, "order-17", MessageTypes.Event), (reply.Queue, reply.CorrelationId, reply.Type));
        var final = JsonSerializer.Deserialize(reply.Body, WireJson.Default.JobEvent)!;
        Assert.Equal((JobState.Succeeded, """{"n": "é"}""", false), (final.State, final.Result?.GetRawText(), final.ResultTruncated));
        Assert.DoesNotContain("result", Encoding.UTF8.GetString(Assert.Single(events.Of(Succeeded)).Body), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Reply_states_that_a_result_was_truncated()
    {
        await using var server = await AServer.MigratedAsync();

        var reply = server.Get<JobEvents>().Final(Succeeded with { ResultTruncated = true }, Queue, null);

        Assert.True(JsonSerializer.Deserialize(reply.Body, WireJson.Default.JobEvent)!.ResultTruncated);
    }

    [Theory]
    [InlineData(JobState.Quarantined)]
    [InlineData(JobState.DeadLettered)]
    [InlineData(JobState.Cancelled)]
    public async Task The_reply_of_any_other_end_carries_no_result(JobState state)
    {
        await using var server = await AServer.MigratedAsync();

        var reply = server.Get<JobEvents>().Final(Succeeded with { State = state }, Queue, null);

        Assert.DoesNotContain("result", Encoding.UTF8.GetString(reply.Body), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Resubmission_of_an_ended_job_gets_its_final_reply()
    {
        await using var server = await AServer.MigratedAsync();
        await server.StoreAsync(Succeeded);

        var reply = await AgainAsync(server, "billing", "reply.billing.2");

        Assert.Equal("reply.billing.2", reply!.Queue);
        Assert.Equal("""{"n": "é"}""", JsonSerializer.Deserialize(reply.Body, WireJson.Default.JobEvent)!.Result?.GetRawText());
    }

    [Theory]
    [InlineData("billing", null)]
    [InlineData("billing", "reply.shipping.1")]
    [InlineData("shipping", "reply.shipping.1")]
    public async Task Other_submission_gets_no_final_reply(string principal, string? replyTo)
    {
        await using var server = await AServer.MigratedAsync();
        await server.StoreAsync(Succeeded);

        Assert.Null(await AgainAsync(server, principal, replyTo));
    }

    [Fact]
    public async Task A_job_that_has_not_ended_has_no_final_reply()
    {
        await using var server = await AServer.MigratedAsync();
        await server.StoreAsync(Succeeded with { State = JobState.Running });

        Assert.Null(await AgainAsync(server, "billing", Queue));
    }

    private static Task<Reply?> AgainAsync(AServer server, string principal, string? replyTo) =>
        server
            .Get<FinalReplies>()
            .OfAsync(
                Succeeded.JobId,
                new SubmissionSource
                {
                    Channel = "amqp",
                    Principal = principal,
                    ReplyTo = replyTo,
                },
                TestContext.Current.CancellationToken
            );
}
