using Dispatcher.Base;
using Dispatcher.Jobs;

namespace Dispatcher.StoreTests.Storage;

/// <summary>Outbox messages from their commit until they are sent, and entries without a change of state.</summary>
public abstract class OutboxTests(StoreKind kind) : StoreTest(kind)
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task Message_cannot_be_taken_during_the_head_start_of_the_relay()
    {
        var before = await Store.NowAsync(Stop);
        var message = await RecordedAsync();

        Assert.Empty(await Store.TakeOutboxAsync(10, Minute, Stop));
        var stored = (await OutboxAsync()).Single(m => m.MessageId == message.MessageId);
        Assert.InRange(
            stored.NextAt,
            before + Timestamps.Micros(OutboxMessage.RelayHeadStart),
            before + Timestamps.Micros(OutboxMessage.RelayHeadStart) + 5_000_000
        );
        Assert.Equal((0, false, null), (stored.Attempts, stored.Parked, stored.LastError));
    }

    [Fact]
    public async Task Taken_message_is_complete_and_postponed()
    {
        var message = await RecordedAsync();
        await EverythingIsDueAsync();
        var before = await Store.NowAsync(Stop);

        var taken = Assert.Single(await Store.TakeOutboxAsync(10, Minute, Stop));

        Assert.InRange(taken.NextAt, before + 60_000_000, before + 70_000_000);
        Assert.Equivalent(message with { NextAt = taken.NextAt }, taken, strict: true);
        Assert.Empty(await Store.TakeOutboxAsync(10, Minute, Stop));
    }

    [Fact]
    public async Task Take_returns_at_most_the_limit()
    {
        await Store.RecordAsync([], [.. Enumerable.Range(0, 5).Select(_ => AMessage.New())], Stop);
        await EverythingIsDueAsync();

        Assert.Equal((3, 2, 0), (await TakeAsync(3), await TakeAsync(3), await TakeAsync(3)));
    }

    [Fact]
    public async Task Eight_concurrent_takers_take_each_message_once()
    {
        var messages = Enumerable.Range(0, 300).Select(_ => AMessage.New()).ToList();
        await Store.RecordAsync([], messages, Stop);
        await EverythingIsDueAsync();

        var taken = await AtOnceAsync(
            8,
            async _ =>
            {
                var mine = new List<Guid>();
                while (await Store.TakeOutboxAsync(7, Minute, Stop) is { Count: > 0 } some)
                {
                    Assert.InRange(some.Count, 1, 7);
                    mine.AddRange(some.Select(message => message.MessageId));
                }

                return mine;
            }
        );

        Assert.Equal(messages.Select(message => message.MessageId).Order(), taken.SelectMany(mine => mine).Order());
    }

    [Fact]
    public async Task Delete_removes_only_the_named_messages()
    {
        var sent = new[] { await RecordedAsync(), await RecordedAsync() };
        var other = await RecordedAsync();

        await Store.DeleteOutboxAsync([.. sent.Select(message => message.MessageId), Guid.CreateVersion7()], Stop);
        await Store.DeleteOutboxAsync([], Stop);

        Assert.Equal(other.MessageId, Assert.Single(await OutboxAsync()).MessageId);
    }

    [Fact]
    public async Task Refused_message_is_deferred_with_its_error()
    {
        var message = await RecordedAsync();
        var before = await Store.NowAsync(Stop);

        await Store.DeferOutboxAsync(message.MessageId, "no \"queue\" 🐢", Minute, Stop);
        await Store.DeferOutboxAsync(message.MessageId, "still none", Minute, Stop);

        var stored = Assert.Single(await OutboxAsync());
        Assert.Equal((2, "still none", false), (stored.Attempts, stored.LastError, stored.Parked));
        Assert.InRange(stored.NextAt, before + 60_000_000, before + 70_000_000);
    }

    [Fact]
    public async Task Parked_message_is_kept_and_not_taken()
    {
        var message = await RecordedAsync();
        var other = await RecordedAsync();

        await Store.DeferOutboxAsync(message.MessageId, "gave up", null, Stop);
        await EverythingIsDueAsync();

        Assert.Equal(other.MessageId, Assert.Single(await Store.TakeOutboxAsync(10, Minute, Stop)).MessageId);
        Assert.True((await OutboxAsync()).Single(m => m.MessageId == message.MessageId).Parked);
    }

    [Fact]
    public async Task Record_writes_entries_and_messages_without_a_change_of_state()
    {
        var line = AnAcceptance.Of(AJob.New()).Entry with { Kind = TimelineKinds.LateOutcome, Attempt = 3 };

        await Store.RecordAsync([line, line], [AMessage.New()], Stop);
        await Store.RecordAsync([], [], Stop);

        Assert.Equal("jobs 0, denials 0, timeline 3, outbox 1, dead_letters 0", await CountsAsync());
        Assert.Equal([3, 3], (await TimelineAsync(line.JobId)).Select(entry => entry.Attempt));
    }

    [Fact]
    public async Task Refuse_stores_the_dead_letter_with_its_messages()
    {
        var refusal = ARefusal.Of([AMessage.New(), AMessage.New()]);

        await Store.RefuseAsync([refusal], Stop);

        var letter = Assert.Single(await ReadAsync(db => Task.FromResult(db.DeadLetters.ToList())));
        Assert.Equivalent(refusal.DeadLetter with { At = letter.At }, letter, strict: true);
        Assert.Equal(2, (await OutboxAsync()).Count);
        Assert.Equal([TimelineKinds.Refused], (await TimelineAsync(letter.DeadLetterId)).Select(line => line.Kind));
    }

    [Fact]
    public async Task Known_refusal_changes_nothing_and_does_not_block_the_batch()
    {
        var first = ARefusal.Of([AMessage.New()]);
        await Store.RefuseAsync([first], Stop);

        var again = first with { Outbox = [AMessage.New()] };
        var neighbour = ARefusal.Of([AMessage.New()]);
        await Store.RefuseAsync([again, neighbour], Stop);

        Assert.Equal(2, await Database.CountAsync("dead_letters"));
        Assert.Single(await TimelineAsync(first.DeadLetter.DeadLetterId));
        Assert.Equal(
            new[] { first, neighbour }.Select(refusal => refusal.Outbox[0].MessageId).Order(),
            (await OutboxAsync()).Select(message => message.MessageId).Order()
        );
    }

    private async Task<int> TakeAsync(int limit) => (await Store.TakeOutboxAsync(limit, Minute, Stop)).Count;

    private async Task<OutboxMessage> RecordedAsync()
    {
        var message = AMessage.New();
        await Store.RecordAsync([], [message], Stop);
        return message;
    }

    private Task EverythingIsDueAsync() => Database.ExecuteAsync("update outbox set next_at = 1");
}

public sealed class PostgresOutboxTests() : OutboxTests(StoreKind.Postgres);

public sealed class SqliteOutboxTests() : OutboxTests(StoreKind.Sqlite);
