using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>Jobs, workers and messages that fail. <c>DISPATCHER_TEST_JOBS</c> makes the jobs more.</summary>
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
