using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>An operator stops the dispatch of one topic, then of everything, while jobs arrive at two servers.</summary>
public sealed class FreezeJourneys
{
    private const string Frozen = "job.test.once";
    private const string Free = "job.test.line";

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Frozen_topic_is_not_dispatched_after_the_answer_and_other_topics_of_its_pool_go_on()
    {
        var count = Journey.Jobs(300);
        await using var journey = await Journey.BeginAsync();
        var (first, second) = await journey.TwoDispatchersAsync();
        await journey.CountingWorkerAsync(first);
        var jobs = Enumerable.Range(0, count).Select(i => AJob.On(i % 2 == 0 ? Frozen : Free)).ToList();
        var publishing = (await journey.ProducerAsync()).PublishAsync(jobs);
        await Eventually.IsAsync(
            async () => await journey.Records.CountAsync("succeeded", Frozen) > 5,
            () => "jobs of the topic run\n" + journey.Logs(),
            TimeSpan.FromSeconds(60)
        );

        Assert.Equal(
            HttpStatusCode.Created,
            (
                await FreezeAsync(
                    second,
                    new
                    {
                        topic = Frozen,
                        reason = "disk full",
                        for_s = 3600,
                    }
                )
            ).Status
        );
        var entry = await journey.Records.CountAsync("select max(entry_id) from timeline where kind = 'frozen'");
        await publishing;
        var late = Enumerable.Range(0, 20).Select(_ => AJob.On(Frozen)).ToList();
        await (await journey.ProducerAsync()).PublishAsync(late);
        await Eventually.IsAsync(
            async () => await journey.Records.CountAsync("succeeded", Free) == count / 2,
            () => "the other topic ends\n" + journey.Logs(),
            TimeSpan.FromSeconds(60)
        );
        await journey.SweptAsync(Frozen);

        Assert.Equal(0, await DispatchedAfterAsync(journey, entry, Frozen));
        Assert.InRange(await journey.Records.CountAsync("accepted", Frozen), late.Count, count / 2 + late.Count);
        Assert.Contains("topic job.test.once is frozen by admin", await WarningsAsync(first), StringComparison.Ordinal);
        var again = await FreezeAsync(
            first,
            new
            {
                topic = Frozen,
                reason = "again",
                for_s = 60,
            }
        );
        Assert.Equal(HttpStatusCode.Conflict, again.Status);
        Assert.Contains("disk full", again.Body.GetProperty("detail").GetString(), StringComparison.Ordinal);

        Assert.Equal(HttpStatusCode.OK, (await UnfreezeAsync(first, new { topic = Frozen, reason = "cleaned" })).Status);
        await journey.SettledAsync(count + late.Count);
        Assert.Equal(count + late.Count, await journey.Records.CountAsync("select count(*) from jobs where state = 'succeeded'"));
        Assert.Equal(0, await journey.Records.CountAsync("select count(*) from jobs where spent > 0"));
        await Eventually.IsAsync(
            async () => await CommandLineRun.VerifyAuditAsync(journey) is (0, _),
            () => "the audit is complete\n" + journey.Logs(),
            TimeSpan.FromSeconds(30)
        );
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task Freeze_of_everything_survives_the_kill_of_all_servers_and_expires_by_itself()
    {
        await using var journey = await Journey.BeginAsync();
        var (first, second) = await journey.TwoDispatcherProcessesAsync();
        await journey.CountingWorkerAsync(first);
        var running = AJob.On(Frozen).With(new JsonObject { ["sleep_ms"] = 1_000 });
        var billing = await journey.ProducerAsync();
        await billing.PublishAsync(running);
        await first.InStateAsync(running.JobId, "running");

        Assert.Equal(
            HttpStatusCode.Created,
            (
                await FreezeAsync(
                    first,
                    new
                    {
                        all = true,
                        reason = "incident",
                        for_s = 3600,
                    }
                )
            ).Status
        );
        var entry = await journey.Records.CountAsync("select max(entry_id) from timeline where kind = 'frozen'");
        var jobs = Enumerable.Range(0, 20).Select(i => AJob.On(i % 2 == 0 ? Frozen : Free)).ToList();
        await billing.PublishAsync(jobs);

        // A run goes on, and its outcome is taken.
        await first.InStateAsync(running.JobId, "succeeded");
        await first.KillAsync();
        await second.KillAsync();
        first = await journey.DispatcherProcessAsync(first.Address);
        second = await journey.DispatcherProcessAsync(second.Address);
        await Eventually.IsAsync(
            async () => await journey.Records.CountAsync("select count(*) from jobs where state = 'accepted'") == jobs.Count,
            () => "submissions are still accepted\n" + journey.Logs(),
            TimeSpan.FromSeconds(30)
        );
        await journey.SweptAsync(Frozen);
        await journey.SweptAsync(Free);
        Assert.Equal(0, await DispatchedAfterAsync(journey, entry, Frozen) + await DispatchedAfterAsync(journey, entry, Free));
        Assert.Contains("dispatch of everything is frozen", await WarningsAsync(second), StringComparison.Ordinal);

        // As if its time had passed.
        await using var expire = journey.Database.CreateCommand("update freezes set until = since + 1");
        await expire.ExecuteNonQueryAsync(Now);
        await journey.SettledAsync(jobs.Count + 1);
        Assert.Equal(jobs.Count + 1, await journey.Records.CountAsync("select count(*) from jobs where state = 'succeeded'"));
        Assert.Equal("", await WarningsAsync(first));
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task Freeze_is_refused_for_unknown_names_and_ends_and_to_other_roles()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        var producer = await dispatcher.MakeKeyAsync("ci", "producer");
        var approver = await dispatcher.MakeKeyAsync("ana", "approver");
        var @operator = await dispatcher.MakeKeyAsync("oncall", "operator");

        var misspelt = await FreezeAsync(
            dispatcher,
            new
            {
                topic = "job.test.onc",
                reason = "r",
                for_s = 60,
            }
        );
        Assert.Equal(HttpStatusCode.BadRequest, misspelt.Status);
        Assert.Contains("job.test.once", misspelt.Body.GetRawText(), StringComparison.Ordinal);
        object[] wrong =
        [
            new
            {
                pool = "nopool",
                reason = "r",
                for_s = 60,
            },
            new { all = true, reason = "r" },
            new
            {
                all = true,
                reason = " ",
                for_s = 60,
            },
            new
            {
                all = true,
                topic = Frozen,
                reason = "r",
                for_s = 60,
            },
            new { reason = "r", for_s = 60 },
            new
            {
                all = true,
                reason = "r",
                for_s = 604_801,
            },
            new
            {
                all = true,
                reason = "r",
                until = DateTimeOffset.UnixEpoch,
            },
            new
            {
                all = true,
                reason = "r",
                until = DateTimeOffset.UtcNow.AddDays(8),
            },
            new
            {
                all = true,
                reason = "r",
                for_s = 60,
                until = DateTimeOffset.UtcNow.AddDays(1),
            },
        ];
        foreach (var body in wrong)
        {
            Assert.Equal(HttpStatusCode.BadRequest, (await FreezeAsync(dispatcher, body)).Status);
        }

        Assert.Equal(
            HttpStatusCode.Forbidden,
            (
                await FreezeAsync(
                    dispatcher,
                    new
                    {
                        all = true,
                        reason = "r",
                        for_s = 60,
                    },
                    producer
                )
            ).Status
        );
        Assert.Equal(
            HttpStatusCode.Forbidden,
            (
                await FreezeAsync(
                    dispatcher,
                    new
                    {
                        all = true,
                        reason = "r",
                        for_s = 60,
                    },
                    approver
                )
            ).Status
        );
        Assert.Equal(HttpStatusCode.Conflict, (await UnfreezeAsync(dispatcher, new { all = true, reason = "r" })).Status);
        Assert.Equal(0, await journey.Records.CountAsync("select count(*) from freezes"));

        var until = DateTimeOffset.UtcNow.AddHours(1);
        Assert.Equal(
            HttpStatusCode.Created,
            (
                await FreezeAsync(
                    dispatcher,
                    new
                    {
                        pool = "test",
                        reason = "r",
                        until,
                    },
                    @operator
                )
            ).Status
        );
        var list = (await dispatcher.SendAsync(HttpMethod.Get, "/api/freezes", key: @operator)).Body;
        var freeze = Assert.Single(list.GetProperty("in_force").EnumerateArray());
        Assert.Equal(
            ("pool", "test", "oncall"),
            (freeze.GetProperty("target").GetString(), freeze.GetProperty("name").GetString(), freeze.GetProperty("actor").GetString())
        );
        await journey.EndsWellAsync();
    }

    private static Task<(HttpStatusCode Status, JsonElement Body)> FreezeAsync(DispatcherServer server, object body, string? key = null) =>
        server.SendAsync(HttpMethod.Post, "/api/freezes", JsonSerializer.SerializeToUtf8Bytes(body), key);

    private static Task<(HttpStatusCode Status, JsonElement Body)> UnfreezeAsync(DispatcherServer server, object body) =>
        server.SendAsync(HttpMethod.Post, "/api/freezes/unfreeze", JsonSerializer.SerializeToUtf8Bytes(body));

    private static async Task<string> WarningsAsync(DispatcherServer server) =>
        string.Join(
            '\n',
            (await server.SendAsync(HttpMethod.Get, "/api/status"))
                .Body.GetProperty("warnings")
                .EnumerateArray()
                .Select(warning => warning.GetString())
                .Where(warning => warning!.Contains("frozen", StringComparison.Ordinal))
        );

    private static Task<long> DispatchedAfterAsync(Journey journey, long entry, string topic) =>
        journey.Records.CountAsync(
            """
            select count(*) from timeline t join jobs j on j.job_id = t.job_id
            where t.kind = 'dispatched' and t.entry_id > $1 and j.topic = $2
            """,
            entry,
            topic
        );
}
