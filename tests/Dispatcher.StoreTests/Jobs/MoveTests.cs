using Dispatcher.Contracts;
using Dispatcher.Jobs;

namespace Dispatcher.StoreTests.Jobs;

/// <summary>
/// A move is applied completely if the row has the version that was read and the bundle is in force; otherwise not at all.
/// </summary>
public abstract class MoveTests(StoreKind kind) : StoreTest(kind)
{
    [Fact]
    public async Task Writes_the_row_with_its_timeline_its_messages_and_its_dead_letter()
    {
        var running = await RunningAsync();
        var move = Broken(running);

        var committed = await Store.MoveAsync([move], Stop);

        Assert.Equal([running.JobId], committed.Jobs);
        var job = await JobAsync(running.JobId);
        Assert.Equal((JobState.DeadLettered, running.Version + 1, "E"), (job.State, job.Version, job.Fault?.Type));
        Assert.Equal([TimelineKinds.Accepted, TimelineKinds.Faulted], (await TimelineAsync(job.JobId)).Select(entry => entry.Kind));
        Assert.Contains(await OutboxAsync(), message => message.MessageId == move.Outbox[0].MessageId);
        var letter = Assert.Single(await ReadAsync(db => Task.FromResult(db.DeadLetters.ToList())));
        Assert.InRange(letter.At, job.UpdatedAt - 1_000_000, job.UpdatedAt + 1_000_000);
        Assert.Equivalent(move.DeadLetter! with { At = letter.At }, letter, strict: true);
    }

    [Fact]
    public async Task Changed_row_is_not_moved()
    {
        var running = await RunningAsync();
        await MovedAsync(new Move(running, running with { CancelRequested = true }));
        var before = (await CountsAsync(), await JobAsync(running.JobId));

        var committed = await Store.MoveAsync([Broken(running)], Stop);

        Assert.Empty(committed.Jobs);
        Assert.Equal(AJob.Policy, committed.ActiveHash);
        var after = await JobAsync(running.JobId);
        Assert.Equal(
            before,
            (
                await CountsAsync(),
                after with
                {
                    Labels = before.Item2.Labels,
                    RiskTags = before.Item2.RiskTags,
                    Payload = before.Item2.Payload,
                    Rules = before.Item2.Rules,
                }
            )
        );
    }

    [Fact]
    public async Task Missing_job_is_not_moved()
    {
        var committed = await Store.MoveAsync([Broken(AJob.New() with { State = JobState.Running })], Stop);

        Assert.Empty(committed.Jobs);
        Assert.Equal("jobs 0, denials 0, timeline 1, outbox 0, dead_letters 0", await CountsAsync());
    }

    [Fact]
    public async Task A_final_state_is_never_due_and_has_an_end()
    {
        var running = await RunningAsync();
        Assert.NotNull(running.DueAt);
        Assert.Null(running.FinishedAt);

        await MovedAsync(new Move(running, running with { State = JobState.Succeeded, DueAt = 5 }));

        var job = await JobAsync(running.JobId);
        Assert.Null(job.DueAt);
        Assert.Equal(job.UpdatedAt, job.FinishedAt!.Value, 100_000d);
    }

    [Fact]
    public async Task A_state_that_is_not_final_has_no_end()
    {
        var running = await RunningAsync();
        await MovedAsync(Broken(running));
        var dead = await JobAsync(running.JobId);
        Assert.NotNull(dead.FinishedAt);

        await MovedAsync(new Move(dead, dead with { State = JobState.Accepted, DueAt = 7 }));

        var replayed = await JobAsync(running.JobId);
        Assert.Equal((7L, null), (replayed.DueAt, replayed.FinishedAt));
    }

    [Fact]
    public async Task Move_under_another_bundle_is_not_applied_and_returns_the_bundle_in_force()
    {
        var accepted = await StoredAsync(AJob.New());
        var other = await StoredAsync(AJob.New());
        await ActivateAsync("policy-2");
        var move = new Move(accepted, accepted with { State = JobState.Dispatched, PolicyHash = AJob.Policy })
        {
            Entry = AnAcceptance.Of(accepted).Entry,
            Outbox = [AMessage.New()],
            DeadLetter = ADeadLetter.Of(accepted),
        };

        var committed = await Store.MoveAsync([move, new Move(other, other with { State = JobState.Cancelled })], Stop);

        Assert.Equal([other.JobId], committed.Jobs);
        Assert.Equal("policy-2", committed.ActiveHash);
        Assert.Equal(accepted.Version, (await JobAsync(accepted.JobId)).Version);
        Assert.Equal("jobs 2, denials 0, timeline 4, outbox 2, dead_letters 0", await CountsAsync());
    }

    [Fact]
    public async Task Move_under_the_bundle_in_force_is_applied()
    {
        var accepted = await StoredAsync(AJob.New());

        await MovedAsync(new Move(accepted, accepted with { State = JobState.Dispatched, PolicyHash = AJob.Policy }));

        Assert.Equal(JobState.Dispatched, (await JobAsync(accepted.JobId)).State);
    }

    [Fact]
    public async Task Stale_moves_of_a_batch_are_skipped()
    {
        var stale = await StoredAsync(AJob.New());
        var fresh = await StoredAsync(AJob.New());
        await MovedAsync(new Move(stale, stale));

        var committed = await Store.MoveAsync([Cancelled(stale), Cancelled(fresh)], Stop);

        Assert.Equal([fresh.JobId], committed.Jobs);
        Assert.Equal([JobState.Accepted, JobState.Cancelled], [(await JobAsync(stale.JobId)).State, (await JobAsync(fresh.JobId)).State]);
    }

    [Fact]
    public async Task One_of_eight_concurrent_moves_of_a_job_is_applied()
    {
        for (var round = 0; round < 10; round++)
        {
            var job = await StoredAsync(AJob.New());

            var committed = await AtOnceAsync(8, i => Store.MoveAsync([Named(job, $"worker-{i}")], Stop));

            var winner = Assert.Single(Enumerable.Range(0, 8), i => committed[i].Jobs.Contains(job.JobId));
            var stored = await JobAsync(job.JobId);
            Assert.Equal(($"worker-{winner}", 1), (stored.Worker, stored.Version));
            Assert.Equal(["billing", $"worker-{winner}"], (await TimelineAsync(job.JobId)).Select(entry => entry.Actor));
        }
    }

    private static Move Cancelled(Job job) => new(job, job with { State = JobState.Cancelled });

    private static Move Named(Job job, string worker) =>
        new(job, job with { Worker = worker }) { Entry = AnAcceptance.Of(job).Entry with { Actor = worker, Kind = TimelineKinds.Claimed } };

    private static Move Broken(Job running)
    {
        var after = running with
        {
            State = JobState.DeadLettered,
            Fault = new Fault { Type = "E", Message = "it broke" },
            FaultClass = "terminal",
        };
        return new Move(running, after)
        {
            Entry = AnAcceptance.Of(after).Entry with { Kind = TimelineKinds.Faulted },
            Outbox = [AMessage.New()],
            DeadLetter = ADeadLetter.Of(after),
        };
    }
}

public sealed class PostgresMoveTests() : MoveTests(StoreKind.Postgres);

public sealed class SqliteMoveTests() : MoveTests(StoreKind.Sqlite);
