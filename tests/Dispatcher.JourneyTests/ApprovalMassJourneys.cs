using System.Net;
using System.Text.Json;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>Many approvals, while dispatchers race for them and die.</summary>
public sealed class ApprovalMassJourneys
{
    [Fact]
    public async Task Approval_allows_one_dispatch_when_two_dispatchers_race_for_it()
    {
        var count = Journey.Jobs(100);
        await using var journey = await Journey.BeginAsync();
        var (first, second) = await journey.TwoDispatchersAsync();
        var jobs = await HeldAsync(journey, first, count);
        var ana = await first.MakeKeyAsync("ana", "approver");

        // No worker takes work, so that a second dispatch of one approval would show. Both servers check the backlog repeatedly.
        await journey.Records.PretendWorkerAsync("test", 10 * count);
        await VoteAsync(jobs, job => first.VoteAsync(job.JobId, "approve", ana));
        for (var i = 0; i < 50; i++)
        {
            await journey.ForgeAsync("", "dispatcher.server.dispatch", Journey.SignalTest.ToArray());
        }

        await Eventually.IsAsync(
            async () => await journey.Records.CountAsync("select count(*) from approvals where state = 'Consumed'") == count,
            () => "every approval is used\n" + journey.Logs(),
            TimeSpan.FromSeconds(60)
        );
        await Eventually.IsAsync(
            async () => await journey.Records.OutboxAsync() == 0,
            () => "all is sent\n" + journey.Logs(),
            TimeSpan.FromSeconds(30)
        );

        // An attempt that was not claimed in time was returned, and only such an attempt was dispatched again.
        Assert.Equal(
            count + await journey.Records.CountAsync("select count(*) from timeline where kind = 'unclaimed'"),
            await journey.Records.CountAsync("select count(*) from timeline where kind = 'dispatched'")
        );
        await journey.CountingWorkerAsync(second);
        await journey.SettledAsync(count, seconds: 120);
        Assert.Equal(count, await journey.Records.EffectsAsync());
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task Approval_is_used_once_when_a_dispatcher_is_killed_between_vote_and_worker()
    {
        var count = Journey.Jobs(80);
        await using var journey = await Journey.BeginAsync();
        var (first, second) = await journey.TwoDispatcherProcessesAsync();
        var jobs = await HeldAsync(journey, second, count);
        var ana = await second.MakeKeyAsync("ana", "approver");
        await journey.CountingWorkerAsync(second);

        // Votes go to whichever answers; the first dispatcher is killed among them, again and again, wherever it happens to be.
        var voting = VoteAsync(
            jobs,
            async job =>
            {
                for (var i = 0; ; i++)
                {
                    try
                    {
                        return await (i % 2 == 0 ? first : second).VoteAsync(job.JobId, "approve", ana);
                    }
                    catch (HttpRequestException) when (i < 20)
                    {
                        // Its answer is lost. The same vote again is answered as the first time.
                    }
                }
            }
        );
        for (var kills = 0; kills < 3; kills++)
        {
            var before = await journey.Records.CountAsync("select count(*) from timeline where kind = 'approved'");
            await Eventually.IsAsync(
                async () =>
                    voting.IsCompleted
                    || await journey.Records.CountAsync("select count(*) from timeline where kind = 'approved'") > before + (count / 8),
                () => "votes go on\n" + journey.Logs(),
                TimeSpan.FromSeconds(60)
            );
            await first.KillAsync();
            first = await journey.DispatcherProcessAsync(first.Address);
        }

        await voting;
        await journey.SettledAsync(count, seconds: 180);
        Assert.Equal(count, await journey.Records.CountAsync("select count(*) from approvals where state = 'Consumed'"));
        Assert.Equal(count, await journey.Records.CountAsync("select count(*) from timeline where kind = 'approved'"));
        Assert.Equal(count, await journey.Records.EffectsAsync());
        await journey.EndsWellAsync();
    }

    private static async Task<List<AJob>> HeldAsync(Journey journey, DispatcherServer dispatcher, int count)
    {
        var jobs = Enumerable.Range(0, count).Select(_ => AJob.On("job.test.held")).ToList();
        await (await journey.ProducerAsync()).PublishAsync(jobs);
        await Eventually.IsAsync(
            async () => await journey.Records.CountAsync("select count(*) from approvals") == count,
            () => "all are held\n" + dispatcher.Log,
            TimeSpan.FromSeconds(60)
        );
        return jobs;
    }

    private static Task VoteAsync(IEnumerable<AJob> jobs, Func<AJob, Task<(HttpStatusCode Status, JsonElement Body)>> vote) =>
        Parallel.ForEachAsync(
            jobs,
            new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = TestContext.Current.CancellationToken },
            async (job, _) => Assert.Equal(HttpStatusCode.OK, (await vote(job)).Status)
        );
}
