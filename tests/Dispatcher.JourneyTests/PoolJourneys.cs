using System.Text.Json;
using System.Text.Json.Nodes;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>
/// Pools with more jobs than they can run, or whose downstream is unavailable. <c>DISPATCHER_TEST_JOBS</c> makes the jobs more,
/// <c>DISPATCHER_TEST_PROBES</c> the outage longer.
/// </summary>
public sealed class PoolJourneys
{
    [Fact]
    public async Task Jobs_beyond_the_capacity_of_a_pool_wait_in_order_without_failed_attempts()
    {
        var count = Journey.Jobs(200);
        await using var journey = await Journey.BeginAsync();
        var (dispatcher, _) = await journey.TwoDispatchersAsync();
        var jobs = Enumerable.Range(0, count).Select(_ => AJob.On("job.test.line")).ToList();
        await (await journey.ProducerAsync()).PublishAsync(jobs);
        await Eventually.IsAsync(
            async () => await journey.Records.CountAsync("accepted", "job.test.line") == count,
            () => "all wait\n" + journey.Logs(),
            TimeSpan.FromSeconds(60)
        );

        // No worker serves the pool: the sweep leaves the jobs where they are, and the status names the reason.
        await journey.SweptAsync("job.test.line");
        await journey.SweptAsync("job.test.line");
        Assert.Equal(count, await journey.Records.CountAsync("accepted", "job.test.line"));
        Assert.Contains(
            "no worker",
            (await dispatcher.SendAsync(HttpMethod.Get, "/api/status"))
                .Body.GetProperty("pools")
                .GetProperty("test")
                .GetProperty("note")
                .GetString(),
            StringComparison.Ordinal
        );
        var worker = await journey.CountingWorkerProcessAsync(dispatcher, concurrency: 2);
        var (most, kills) = (0L, 0);
        await Eventually.IsAsync(
            async () =>
            {
                most = Math.Max(most, await journey.Records.CountAsync("dispatched", "job.test.line"));
                var ended = await journey.Records.EndedAsync();
                if (kills < 2 && ended > (kills + 1) * count / 4)
                {
                    kills++;
                    await worker.KillAsync();
                    worker = await journey.CountingWorkerProcessAsync(dispatcher, concurrency: 2);
                }

                return ended == count;
            },
            () => "all end\n" + journey.Logs(),
            TimeSpan.FromSeconds(60 + count)
        );

        // Four times the capacity; of the killed ones too until they count as gone.
        Assert.InRange(most, 1, 4 * 2 * 3);
        Assert.Equal(count, await journey.Records.CountAsync("succeeded", "job.test.line"));
        Assert.Equal(0, await journey.Records.CountAsync("select count(*) from timeline where kind in ('unclaimed', 'returned')"));
        Assert.Equal(0, await journey.Records.CountAsync($"select count(*) from jobs where spent > 2"));

        // In order, but for as many as may be under way at once. A job whose run was lost has a new position.
        Assert.Empty(
            await journey.Records.TextsAsync(
                """
                with ordered as (
                    select j.job_id,
                        row_number() over (order by j.ready_at, j.job_id) as came,
                        row_number() over (order by t.entry_id) as went
                    from jobs j join timeline t on t.job_id = j.job_id and t.kind = 'dispatched' and t.attempt = 1 where j.spent = 0)
                select came || ' went as ' || went from ordered where abs(came - went) > 24 limit 20
                """
            )
        );
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task Unavailable_downstream_gets_single_probes_and_all_jobs_when_it_is_back()
    {
        var (count, wanted) = (Journey.Jobs(150), Journey.Number("DISPATCHER_TEST_PROBES", 1));
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        await journey.CountingWorkerAsync(dispatcher, concurrency: 8);
        var jobs = Enumerable
            .Range(0, count)
            .Select(_ => AJob.On("job.test.downstream").With(new JsonObject { ["fault"] = "downstream" }))
            .ToList();
        await journey.Records.DownstreamAsync(up: false);
        await (await journey.ProducerAsync()).PublishAsync(jobs);
        await Eventually.IsAsync(
            async () =>
                await LimitAsync() == 1
                && await journey.Records.CountAsync("select count(*) from jobs where state in ('dispatched', 'running')") == 0,
            () => "the pool is limited to one probe, and all earlier attempts have ended\n" + journey.Logs(),
            TimeSpan.FromSeconds(20)
        );
        var first = await journey.Records.CallsAsync();
        await Eventually.IsAsync(
            async () => await journey.Records.CallsAsync() > first + wanted,
            () => $"{wanted} probes are sent\n" + journey.Logs(),
            TimeSpan.FromSeconds(20 + (11 * wanted))
        );

        // From the first probe on: the last attempt before it may have ended long after the limit became one.
        var gaps = await journey.Records.SecondsBetweenCallsAsync(after: first + 1);
        await journey.Records.DownstreamAsync(up: true);
        await journey.SettledAsync(count, seconds: 60);

        // The pause before a probe doubles from one second up to ten. It begins when the probe before has failed.
        Assert.InRange(first, 10, 200);
        Assert.All(gaps, gap => Assert.InRange(gap, 1, double.MaxValue));
        Assert.Equal(count, await journey.Records.CountAsync("succeeded", "job.test.downstream"));
        await journey.EndsWellAsync();

        async Task<int?> LimitAsync() =>
            (await dispatcher.SendAsync(HttpMethod.Get, "/api/status")).Body.GetProperty("pools").GetProperty("test").GetProperty("limit")
                is { ValueKind: JsonValueKind.Number } limit
                ? limit.GetInt32()
                : null;
    }
}
