using Dispatcher.Api;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Microsoft.Extensions.Logging.Abstractions;

namespace Dispatcher.StoreTests.Api;

/// <summary>The figures count what the incident affects, and nothing else.</summary>
public abstract class IncidentFiguresTests(StoreKind kind) : StoreTest(kind)
{
    private const string Topic = "job.exec.shell";
    private const string OtherTopic = "job.repo.read";

    [Fact]
    public async Task Job_stands_for_its_topic_since_it_was_submitted()
    {
        await StoredAsync(AJob.New());
        var first = await StoredAsync(AJob.New());
        await RunningAsync();
        await DeadAsync(await RunningAsync(), "in_doubt");
        await StoredAsync(AJob.New() with { Topic = OtherTopic, Pool = "repo" });
        await FreezeAsync(FreezeKinds.Topic, Topic);
        await FreezeAsync(FreezeKinds.Topic, OtherTopic);
        await FreezeAsync(FreezeKinds.All, "");
        await ActivateAsync("policy-2");

        var seen = await FiguresAsync(first.JobId);

        Assert.Equal(("job", Topic, first.CreatedAt), (seen.Kind, seen.Topic, Base.Timestamps.Micros(seen.Began)));
        Assert.Equal(
            new Dictionary<string, int>
            {
                ["accepted"] = 1,
                ["dead_lettered"] = 1,
                ["running"] = 1,
            },
            seen.Jobs
        );
        Assert.Equal(new Dictionary<string, int> { ["in_doubt"] = 1 }, seen.DeadLetters);
        Assert.Equal(["team"], seen.Owners);
        Assert.Equal([("topic", Topic), ("all", null)], seen.Freezes.Select(freeze => (freeze.Target, freeze.Name)));
        Assert.Equal(("policy-2", true, true), (seen.PolicyHash, seen.PolicyChanged, seen.IsComplete));
    }

    [Fact]
    public async Task Freeze_stands_for_its_target_since_it_began()
    {
        await StoredAsync(AJob.New());
        var pool = await FreezeAsync(FreezeKinds.Pool, "shell");
        var all = await FreezeAsync(FreezeKinds.All, "");
        await StoredAsync(AJob.New());
        await StoredAsync(AJob.New() with { Topic = OtherTopic, Pool = "repo" });

        var ofPool = await FiguresAsync(pool.FreezeId);
        var ofAll = await FiguresAsync(all.FreezeId);

        Assert.Equal(("freeze", null, 1), (ofPool.Kind, ofPool.Topic, ofPool.Jobs["accepted"]));
        Assert.Equal(["shell"], ofPool.PoolNames);
        Assert.Equal(2, ofAll.Jobs["accepted"]);
        Assert.False(ofAll.PolicyChanged);
    }

    [Fact]
    public async Task Dead_letter_counts_from_the_submission_of_its_job_and_at_most_a_day()
    {
        var running = await RunningAsync();
        await StoredAsync(AJob.New());
        var letter = await DeadAsync(running, "terminal");

        var seen = await FiguresAsync(letter);
        await Database.ExecuteAsync("update jobs set created_at = created_at - 864000000000");
        var old = await FiguresAsync(letter);

        Assert.Equal(("dead_letter", running.CreatedAt), (seen.Kind, Base.Timestamps.Micros(seen.Began)));
        Assert.Equal(1, seen.Jobs["accepted"]);
        Assert.Equal((seen.Began - TimeSpan.FromDays(10), seen.Began), (old.Began, seen.CountedSince));
        Assert.Equal((TimeSpan.FromDays(1), 0, 1), (old.At - old.CountedSince, old.Jobs.Count, old.DeadLetters["terminal"]));
    }

    [Fact]
    public async Task More_rows_than_are_read_are_not_complete()
    {
        var first = await StoredAsync(AJob.New());
        await StoredAsync(AJob.New());

        var seen = await Figures(maxRows: 2).ReadAsync(first.JobId, Stop);

        Assert.False(seen!.IsComplete);
    }

    [Fact]
    public async Task Rows_of_other_topics_and_pools_do_not_use_up_the_limit()
    {
        var running = await RunningAsync();
        await DeadAsync(running, "terminal");
        var pool = await FreezeAsync(FreezeKinds.Pool, "shell");
        await Database.ExecuteAsync("update freezes set since = since - 60000000");
        for (var i = 0; i < 3; i++)
        {
            await StoredAsync(AJob.New() with { Topic = OtherTopic, Pool = "repo" });
        }

        var ofTopic = await Figures(maxRows: 2).ReadAsync(running.JobId, Stop);
        var ofPool = await Figures(maxRows: 2).ReadAsync(pool.FreezeId, Stop);

        Assert.Equal((true, 1), (ofTopic!.IsComplete, ofTopic.Jobs["dead_lettered"]));
        Assert.Equal((true, 1), (ofPool!.IsComplete, ofPool.Jobs["dead_lettered"]));
    }

    [Fact]
    public async Task Unknown_id_has_no_figures() => Assert.Null(await Figures().ReadAsync(Guid.CreateVersion7(), Stop));

    private IncidentFigures Figures(int maxRows = 100) =>
        new(
            Store,
            Database.Contexts,
            new CurrentBundle(Database.Contexts, TimeProvider.System, NullLogger<CurrentBundle>.Instance),
            maxRows
        );

    private async Task<IncidentView> FiguresAsync(Guid id)
    {
        var seen = await Figures().ReadAsync(id, Stop);
        Assert.NotNull(seen);
        return seen;
    }

    private async Task<Guid> DeadAsync(Job running, string faultClass)
    {
        var letter = ADeadLetter.Of(running) with { FaultClass = faultClass };
        await MovedAsync(new Move(running, running with { State = JobState.DeadLettered }) { DeadLetter = letter });
        return letter.DeadLetterId;
    }

    private async Task<Freeze> FreezeAsync(string kind, string name)
    {
        var order = new FreezeOrder(new FreezeTarget(kind, name), "broken", "ada", null, TimeSpan.FromHours(1));
        return (await Store.ChangeFreezesAsync((_, now) => new FreezeChange(order.At(now)), Stop))!.Freeze;
    }
}

public sealed class PostgresIncidentFiguresTests() : IncidentFiguresTests(StoreKind.Postgres);

public sealed class SqliteIncidentFiguresTests() : IncidentFiguresTests(StoreKind.Sqlite);
