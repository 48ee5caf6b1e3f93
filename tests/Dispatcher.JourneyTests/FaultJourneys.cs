using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>
/// Jobs that fail in every way, pools with more jobs than they can run, and a downstream that is unavailable.
/// <c>DISPATCHER_TEST_JOBS</c> makes the jobs more, <c>DISPATCHER_TEST_PROBES</c> the outage longer.
/// </summary>
public sealed class FaultJourneys
{
    private static readonly string[] Kinds = ["once", "always", "terminal", "hang", "", "", "", "", "", ""];

    [Fact]
    public async Task Each_fault_leads_to_the_end_of_its_class()
    {
        var count = Journey.Jobs(30);
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        var worker = await journey.CountingWorkerProcessAsync(dispatcher, concurrency: 4);
        var jobs = Enumerable
            .Range(0, count)
            .Select(i => (Kind: Kind(i, count), Job: AJob.On("job.test.faulty").With(new JsonObject { ["fault"] = Kind(i, count) })))
            .ToList();

        await (await journey.ProducerAsync()).PublishAsync(jobs.Select(job => job.Job));
        await Eventually.IsAsync(
            async () =>
            {
                worker = worker.HasEnded ? await journey.StartWorkerProcessAsync(dispatcher, concurrency: 4) : worker;
                return await journey.Records.EndedAsync() == count;
            },
            () => "all end\n" + journey.Logs(),
            TimeSpan.FromSeconds(60 + count)
        );

        var ends = (
            await journey.Records.TextsAsync("select job_id || ' ' || state || ' ' || coalesce(fault_class, '') || ' ' || spent from jobs")
        )
            .Select(line => line.Split(' '))
            .ToDictionary(line => Guid.Parse(line[0]), line => line[1..]);
        Assert.Equal(
            [.. jobs.Select(job => $"{job.Kind}: {Expected(job.Kind)}").Distinct().Order()],
            jobs.Select(job => $"{job.Kind}: {string.Join(' ', ends[job.Job.JobId][..2])}").Distinct().Order()
        );
        Assert.All(
            jobs.Where(job => Expected(job.Kind) is not ("dead_lettered terminal" or "succeeded ")),
            job => Assert.Matches("^[34]$", ends[job.Job.JobId][2])
        );

        // No attempt began before its time, nor long after it; each attempt that was claimed was one that is counted.
        Assert.Empty(
            await journey.Records.TextsAsync(
                """
                with lines as (
                    select job_id, kind, at,
                        lag(convert_from(detail, 'utf8')::json->>'next_at') over (partition by job_id order by entry_id) as next_at
                    from timeline)
                select job_id || ' ' || next_at || ' ' || to_timestamp(at / 1e6) from lines
                where kind = 'dispatched' and next_at is not null and to_timestamp(at / 1e6) < next_at::timestamptz - interval '50 ms'
                """
            )
        );
        Assert.Empty(
            await journey.Records.TextsAsync(
                """
                select j.job_id || ' ' || j.state || ' ' || j.spent || ' ' || count(*)
                from jobs j join timeline t on t.job_id = j.job_id and t.kind = 'claimed'
                group by j.job_id having count(*) <> j.spent + case when j.state = 'succeeded' then 1 else 0 end
                """
            )
        );
        await journey.EndsWellAsync(expectedDeadLetters: ends.Values.Count(end => end[0] == "dead_lettered"));
    }

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
        var (count, wanted) = (Journey.Jobs(150), Journey.Number("DISPATCHER_TEST_PROBES", 2));
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
                && await journey.Records.CountAsync("select count(*) from jobs where state in ('dispatched', 'running')") <= 1,
            () => "the pool is down to one probe, and what was under way has ended\n" + journey.Logs(),
            TimeSpan.FromSeconds(20)
        );
        var first = await journey.Records.CallsAsync();
        await Eventually.IsAsync(
            async () => await journey.Records.CallsAsync() > first + wanted,
            () => $"{wanted} probes are sent\n" + journey.Logs(),
            TimeSpan.FromSeconds(20 + (11 * wanted))
        );
        var gaps = await journey.Records.SecondsBetweenCallsAsync(after: first);
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

    [Fact]
    public async Task Worker_that_lacks_an_enforcer_of_its_pool_refuses_to_start()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        var worker = await journey.CountingWorkerProcessAsync(dispatcher, concurrency: 3);
        var other = await journey.CountingWorkerProcessAsync(dispatcher, concurrency: 5);
        var lacking = await journey.StartWorkerProcessAsync(dispatcher, pool: "strict");

        Assert.NotEqual(0, await lacking.EndAsync(TimeSpan.FromSeconds(20)));
        Assert.Contains("allowed_hosts", lacking.Log, StringComparison.Ordinal);
        await worker.StopAsync();
        await other.KillAsync();
        var (status, body) = await dispatcher.SendAsync(HttpMethod.Get, "/api/workers");
        Assert.Equal(HttpStatusCode.OK, status);
        var workers = body.GetProperty("workers")
            .EnumerateArray()
            .ToDictionary(known => $"{known.GetProperty("pool").GetString()} {known.GetProperty("instance").GetString()!.Split('/')[1]}");
        Assert.Equal(0, workers[$"test {worker.ProcessId}"].GetProperty("capacity").GetInt32());
        Assert.Equal(5, workers[$"test {other.ProcessId}"].GetProperty("capacity").GetInt32());
        Assert.Contains("job.test.faulty", Texts(workers[$"test {other.ProcessId}"], "topics"));
        Assert.Equal(["allowed_hosts"], Texts(workers[$"strict {lacking.ProcessId}"], "missing_enforcers"));
        await journey.Records.SilentAsync(seconds: 16);
        Assert.All(
            (await dispatcher.SendAsync(HttpMethod.Get, "/api/workers")).Body.GetProperty("workers").EnumerateArray(),
            known => Assert.True(known.GetProperty("stale").GetBoolean())
        );
    }

    [Fact]
    public async Task Message_over_the_delivery_limit_is_read_alone_and_becomes_a_dead_letter_if_that_fails()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        await journey.CountingWorkerAsync(dispatcher);
        var billing = await journey.ProducerAsync();
        var (good, poison) = (AJob.On("job.test.once"), AJob.On("job.test.once"));

        // As if a server ended again and again while it held the message.
        await using (await journey.ReturnAsync("dispatcher.server.intake"))
        {
            await billing.PublishAsync(good);
            await dispatcher.InStateAsync(good.JobId, "succeeded");
            await using (await journey.ReturnAsync("dispatcher.server.intake.parked"))
            {
                // The broker updates an entry that it finds in x-death and leaves its other fields: they must not name the topic.
                await billing.PublishAsync([
                    poison.Parcel() with
                    {
                        Headers = BrokerProbe.SetAside("dispatcher.server.intake", "job.test.denied"),
                    },
                ]);
                await Eventually.IsAsync(
                    async () => (await dispatcher.DeadLettersAsync()).Count == 1,
                    () => "the poison is kept\n" + dispatcher.Log,
                    TimeSpan.FromSeconds(30)
                );
            }
        }

        var letter = Assert.Single(await dispatcher.DeadLettersAsync());
        Assert.Equal(
            ("poison", "billing", "job.test.once"),
            (
                letter.GetProperty("fault_class").GetString(),
                letter.GetProperty("principal").GetString(),
                letter.GetProperty("topic").GetString()
            )
        );
        var whole = (
            await dispatcher.SendAsync(HttpMethod.Get, $"/api/dead-letters/{letter.GetProperty("dead_letter_id").GetString()}")
        ).Body;
        Assert.Equal(poison.Body(), whole.GetProperty("body_base64").GetBytesFromBase64());
        Assert.Equal("", await dispatcher.StateAsync(poison.JobId));
        await journey.EndsWellAsync(expectedDeadLetters: 1);
    }

    /// <summary>Each job that kills its worker costs three starts of a worker: a quick run has one.</summary>
    private static string Kind(int n, int count) => n % (count < 100 ? 50 : 10) == 4 ? "kill" : Kinds[n % Kinds.Length];

    private static string Expected(string kind) =>
        kind switch
        {
            "always" => "dead_lettered transient",
            "terminal" => "dead_lettered terminal",
            "hang" => "dead_lettered timeout",
            "kill" => "dead_lettered lost",
            _ => "succeeded ",
        };

    private static IEnumerable<string?> Texts(JsonElement element, string name) =>
        element.GetProperty(name).EnumerateArray().Select(text => text.GetString());
}
