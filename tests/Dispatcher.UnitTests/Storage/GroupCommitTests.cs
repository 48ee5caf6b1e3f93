using System.Data.Common;
using Microsoft.Data.Sqlite;

namespace Dispatcher.UnitTests.Storage;

public sealed class GroupCommitTests
{
    private const int Constraint = 19;
    private const int Busy = 5;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Single_item_is_committed_at_once()
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
    public async Task Items_that_arrive_during_a_commit_are_in_the_next_batch()
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
    public async Task Unexpected_exception_reaches_its_caller_and_the_writer_continues()
    {
        await using var writer = new ListWriter { Commit = batch => Spoiled(batch, new InvalidOperationException("a bug")) };
        await writer.StartAsync(Cancel);

        await Assert.ThrowsAsync<InvalidOperationException>(() => writer.AddAsync(new Item(13), Cancel));
        await Assert.ThrowsAsync<InvalidOperationException>(() => writer.AddAsync(new Item(13), Cancel));
        Assert.Equal(1, await writer.AddAsync(new Item(1), Cancel));
    }

    [Fact]
    public async Task Batch_is_repeated_while_the_database_is_unavailable_and_no_caller_sees_a_fault()
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
    public async Task Pause_between_attempts_doubles_from_20_ms_to_one_second()
    {
        var time = new SkippedTime();
        var left = 9;
        await using var writer = new ListWriter(time)
        {
            Commit = _ => Interlocked.Decrement(ref left) >= 0 ? throw new SqliteException("busy", Busy) : Task.CompletedTask,
        };
        await writer.StartAsync(Cancel);

        Assert.Equal(1, await writer.AddAsync(new Item(1), Cancel));

        Assert.Equal([20, 40, 80, 160, 320, 640, 1_000, 1_000, 1_000], time.Pauses.Select(pause => pause.TotalMilliseconds));
    }

    [Fact]
    public async Task Unknown_database_fault_counts_as_unavailable()
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
    public async Task Stop_cancels_callers_of_the_running_batch_and_of_the_queue()
    {
        await using var writer = new ListWriter { Hold = new TaskCompletionSource() };
        var answers = Enumerable.Range(0, 600).Select(i => writer.AddAsync(new Item(i), Cancel)).ToList();
        await writer.StartAsync(Cancel);
        await writer.StartedAsync(batches: 2);

        await writer.StopAsync(Cancel);

        await AllCancelledAsync(answers);
    }

    [Fact]
    public async Task Stop_cancels_callers_that_wait_for_an_equal_key()
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
    public async Task Stop_cancels_callers_whose_items_are_committed_alone()
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
    public async Task Stop_ends_the_retries_of_an_unavailable_database()
    {
        await using var writer = new ListWriter { Commit = _ => throw new SqliteException("busy", Busy) };
        var answer = writer.AddAsync(new Item(1), Cancel);
        await writer.StartAsync(Cancel);
        await writer.StartedAsync(batches: 3);

        await writer.StopAsync(Cancel);

        await AllCancelledAsync([answer]);
    }

    [Fact]
    public async Task Caller_after_the_stop_is_cancelled()
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
