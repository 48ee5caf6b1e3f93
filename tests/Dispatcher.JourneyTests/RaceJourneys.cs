using System.Net;
using System.Text.Json;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>People decide on the same jobs at the same moment, on two servers, while the rules change.</summary>
public sealed class RaceJourneys
{
    private static readonly HttpStatusCode[] Expected =
    [
        HttpStatusCode.OK,
        HttpStatusCode.Accepted,
        HttpStatusCode.Forbidden,
        HttpStatusCode.Conflict,
    ];

    [Fact]
    public async Task Each_job_ends_once_when_votes_cancels_and_new_rules_come_at_the_same_moment()
    {
        var count = Journey.Jobs(60);
        await using var journey = await Journey.BeginAsync();
        var (first, second) = await journey.TwoDispatchersAsync();
        await journey.CountingWorkerAsync(first);
        var voters = new List<string>();
        foreach (var name in new[] { "ana", "bo", "cy", "di" })
        {
            voters.Add(await first.MakeKeyAsync(name, "approver"));
        }

        var jobs = Enumerable.Range(0, count).Select(_ => AJob.On("job.test.held")).ToList();
        await (await journey.ProducerAsync()).PublishAsync(jobs);
        await Eventually.IsAsync(
            async () => await journey.Records.CountAsync("select count(*) from approvals") == count,
            () => "all are held\n" + journey.Logs(),
            TimeSpan.FromSeconds(60)
        );

        var racing = Parallel.ForEachAsync(
            jobs,
            new ParallelOptions { MaxDegreeOfParallelism = 4, CancellationToken = TestContext.Current.CancellationToken },
            async (job, _) => await RaceAsync(job.JobId, first, second, voters)
        );
        await journey.ChangePoliciesAsync(
            """
              - id: slower
                match: { topic: job.test.held }
                decision: REQUIRE_APPROVAL
                reason: people decide anew
                constraints: { timeout_ms: 9000 }

            """
        );
        await racing;

        await journey.SettledAsync(count);
        Assert.Equal(await journey.Records.CountAsync("succeeded", "job.test.held"), await journey.Records.EffectsAsync());
        Assert.Equal(
            0,
            await journey.Records.CountAsync(
                """
                select count(*) from approvals a join jobs j using (job_id)
                where (a.state = 'Held') <> (j.state = 'held' and j.approval_round = a.round)
                """
            )
        );
        await journey.EndsWellAsync();
    }

    private static async Task RaceAsync(Guid jobId, DispatcherServer first, DispatcherServer second, List<string> voters)
    {
        var shown = await first.ApprovalAsync(jobId);
        byte[] Vote() =>
            JsonSerializer.SerializeToUtf8Bytes(
                new
                {
                    job_hash = shown.GetProperty("job_hash").GetString(),
                    policy_hash = shown.GetProperty("policy_hash").GetString(),
                    view_hash = shown.GetProperty("view_hash").GetString(),
                    reason = "at once",
                }
            );
        var path = $"/api/approvals/{shown.GetProperty("approval_id").GetString()}/";
        var answers = await Task.WhenAll(
            first.SendAsync(HttpMethod.Post, path + "approve", Vote(), voters[0]),
            second.SendAsync(HttpMethod.Post, path + "approve", Vote(), voters[1]),
            first.SendAsync(HttpMethod.Post, path + "reject", Vote(), voters[2]),
            second.SendAsync(HttpMethod.Post, path + "reject", Vote(), voters[3]),
            first.CancelAsync(jobId),
            second.CancelAsync(jobId)
        );

        Assert.All(answers, answer => Assert.True(Expected.Contains(answer.Status), $"{answer.Status} {answer.Body}"));
    }
}
