using System.Data.Common;
using Microsoft.Data.Sqlite;

namespace Dispatcher.UnitTests.Storage;

public sealed class GroupCommitTests
{
    private const int Constraint = 19;
    private const int Busy = 5;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_item_alone_is_committed_at_once()
    {
        await using var writer = new ListWriter();
        await writer.StartAsync(Cancel);

        Assert.Equal(7, await writer.AddAsync(new Item(7), Cancel));

        Assert.Single(writer.Batches);
    }

    [Fact]
    public async Task Each_caller_gets_the_result_of_its_own_item()
    {
        await using var writer = new ListWriter();
        var answers = Enumerable.Range(0, 1_000).Select(i => writer.AddAsync(new Item(i), Cancel)).ToList();
        await writer.StartAsync(Cancel);

        Assert.Equal(Enumerable.Range(0, 1_000), await Task.WhenAll(answers));
    }

    [Fact]
    public async Task What_gathers_while_a_batch_is_written_goes_into_the_next_one()
    {
        await using var writer = new ListWriter { Hold = new TaskCompletionSource() };
        await writer.StartAsync(Cancel);
        var answers = new List<Task<int>> { writer.AddAsync(new Item(-1), Cancel) };
        await writer.StartedAsync(batches: 1);
        answers.Add(writer.AddAsync(new Item(-2), Cancel));
        await writer.StartedAsync(batches: 1);

        answers.AddRange(Enumerable.Range(0, 200).Select(i => writer.AddAsync(new Item(i), Cancel)));
        writer.Hold.SetResult();
        await Task.WhenAll(answers);

        Assert.InRange(writer.Batches.Count, 3, 4);
    }

    [Fact]
    public async Task A_batch_has_at_most_256_items_ordered_by_key()
    {
        await using var writer = new ListWriter();
        var answers = Enumerable.Range(0, 600).Select(i => writer.AddAsync(new Item(i), Cancel)).ToList();
        await writer.StartAsync(Cancel);
        await Task.WhenAll(answers);

        Assert.Equal(256, writer.Batches.Max(batch => batch.Count));
        Assert.All(writer.Batches, batch => Assert.Equal(batch.OrderBy(item => item.Key), batch));
    }

    [Fact]
    public async Task Items_with_an_equal_key_never_share_a_batch()
    {
        var key = Guid.CreateVersion7(TimeProvider.System.GetUtcNow());
        await using var writer = new ListWriter();
        var answers = Enumerable
            .Range(0, 50)
            .Select(i =>
                writer.AddAsync(new Item(i) { Key = i % 2 == 0 ? key : Guid.CreateVersion7(TimeProvider.System.GetUtcNow()) }, Cancel)
            )
            .ToList();
        await writer.StartAsync(Cancel);

        Assert.Equal(Enumerable.Range(0, 50), await Task.WhenAll(answers));
        Assert.All(writer.Batches, batch => Assert.Distinct(batch.Select(item => item.Key)));
    }

    [Fact]
    public async Task A_data_error_is_the_fault_of_its_own_caller_only()
    {
        await using var writer = new ListWriter { Commit = batch => Spoiled(batch, new SqliteException("constraint", Constraint)) };
        var answers = Enumerable.Range(0, 20).Select(i => writer.AddAsync(new Item(i), Cancel)).ToList();
        await writer.StartAsync(Cancel);

        await Assert.ThrowsAsync<SqliteException>(() => answers[13]);
        Assert.Equal(Enumerable.Range(0, 20).Where(i => i != 13), await Task.WhenAll(answers.Where((_, i) => i != 13)));
    }

    [Fact]
    public async Task A_mistake_of_ours_reaches_its_caller_and_the_writer_lives_on()
    {
        await using var writer = new ListWriter { Commit = batch => Spoiled(batch, new InvalidOperationException("a bug")) };
        await writer.StartAsync(Cancel);

        await Assert.ThrowsAsync<InvalidOperationException>(() => writer.AddAsync(new Item(13), Cancel));
        await Assert.ThrowsAsync<InvalidOperationException>(() => writer.AddAsync(new Item(13), Cancel));
        Assert.Equal(1, await writer.AddAsync(new Item(1), Cancel));
    }

    [Fact]
    public async Task While_the_database_is_lost_nobody_sees_a_fault_and_all_is_tried_again()
    {
        var left = 4;
        await using var writer = new ListWriter
        {
            Commit = _ => Interlocked.Decrement(ref left) >= 0 ? throw new SqliteException("busy", Busy) : Task.CompletedTask,
        };
        var answers = Enumerable.Range(0, 10).Select(i => writer.AddAsync(new Item(i), Cancel)).ToList();
        await writer.StartAsync(Cancel);

        Assert.Equal(Enumerable.Range(0, 10), await Task.WhenAll(answers));
        Assert.True(left < 0);
    }

    [Fact]
    public async Task A_database_that_fails_in_an_unknown_way_is_taken_for_lost()
    {
        var left = 1;
        await using var writer = new ListWriter
        {
            Commit = _ => Interlocked.Decrement(ref left) >= 0 ? throw new UnknownFault() : Task.CompletedTask,
        };
        await writer.StartAsync(Cancel);

        Assert.Equal(1, await writer.AddAsync(new Item(1), Cancel));
    }

    [Fact]
    public async Task A_stop_cancels_those_whose_batch_is_being_written_and_those_who_wait()
    {
        await using var writer = new ListWriter { Hold = new TaskCompletionSource() };
        var answers = Enumerable.Range(0, 600).Select(i => writer.AddAsync(new Item(i), Cancel)).ToList();
        await writer.StartAsync(Cancel);
        await writer.StartedAsync(batches: 2);

        await writer.StopAsync(Cancel);

        await AllCancelledAsync(answers);
    }

    [Fact]
    public async Task A_stop_cancels_those_who_wait_for_a_batch_with_an_equal_key()
    {
        var key = Guid.CreateVersion7(TimeProvider.System.GetUtcNow());
        await using var writer = new ListWriter { Hold = new TaskCompletionSource() };
        var answers = Enumerable.Range(0, 3).Select(i => writer.AddAsync(new Item(i) { Key = key }, Cancel)).ToList();
        await writer.StartAsync(Cancel);
        await writer.StartedAsync(batches: 1);

        await writer.StopAsync(Cancel);

        await AllCancelledAsync(answers);
    }

    [Fact]
    public async Task A_stop_cancels_those_who_are_tried_one_by_one()
    {
        var alone = new TaskCompletionSource();
        await using var writer = new ListWriter
        {
            Commit = batch => batch.Count > 1 ? throw new SqliteException("constraint", Constraint) : alone.Task,
        };
        var answers = Enumerable.Range(0, 3).Select(i => writer.AddAsync(new Item(i), Cancel)).ToList();
        await writer.StartAsync(Cancel);
        await writer.StartedAsync(batches: 2);

        var stopped = writer.StopAsync(Cancel);
        alone.SetException(new SqliteException("interrupted", 9));
        await stopped;

        await AllCancelledAsync(answers);
    }

    [Fact]
    public async Task A_stop_ends_the_waiting_for_a_lost_database()
    {
        await using var writer = new ListWriter { Commit = _ => throw new SqliteException("busy", Busy) };
        var answer = writer.AddAsync(new Item(1), Cancel);
        await writer.StartAsync(Cancel);
        await writer.StartedAsync(batches: 3);

        await writer.StopAsync(Cancel);

        await AllCancelledAsync([answer]);
    }

    [Fact]
    public async Task Who_comes_after_the_stop_is_cancelled_too()
    {
        await using var writer = new ListWriter();
        await writer.StartAsync(Cancel);
        await writer.StopAsync(Cancel);

        await AllCancelledAsync([writer.AddAsync(new Item(1), Cancel)]);
    }

    private static Task Spoiled(IReadOnlyList<Item> batch, Exception reason) =>
        batch.Any(item => item.Number == 13) ? Task.FromException(reason) : Task.CompletedTask;

    private static async Task AllCancelledAsync(IReadOnlyList<Task<int>> answers)
    {
        var ended = Task.WhenAll(
            answers.Select(answer =>
                answer.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default)
            )
        );
        await ended.WaitAsync(TimeSpan.FromSeconds(10), Cancel);
        Assert.All(answers, answer => Assert.Equal(TaskStatus.Canceled, answer.Status));
    }

    private sealed class UnknownFault : DbException;
}
