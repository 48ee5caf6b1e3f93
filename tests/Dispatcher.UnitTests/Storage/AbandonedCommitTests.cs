using Dispatcher.Base;
using Microsoft.Data.Sqlite;

namespace Dispatcher.UnitTests.Storage;

/// <summary>The result of an item whose caller stops waiting.</summary>
public sealed class AbandonedCommitTests
{
    private const int Busy = 5;
    private const int IoError = 10;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Commit_without_a_waiting_caller_is_cancelled_and_not_repeated()
    {
        await using var writer = new ListWriter { Hold = new TaskCompletionSource() };
        using var impatient = new CancellationTokenSource();
        await writer.StartAsync(Cancel);
        await writer.OccupyLaneAsync();
        var answer = writer.AddAsync(new Item(1), impatient.Token);
        await writer.StartedAsync(batches: 1);

        await impatient.CancelAsync();

        Assert.True((await Assert.ThrowsAsync<AbandonedCommitException>(() => answer)).MayBeCommitted);
        writer.Hold.SetResult();
        Assert.Equal(2, await writer.AddAsync(new Item(2), Cancel));
        Assert.DoesNotContain(writer.Batches, batch => batch.Any(item => item.Number == 1));
    }

    [Fact]
    public async Task Caller_who_leaves_before_an_attempt_knows_that_nothing_was_committed()
    {
        await using var writer = new ListWriter { Hold = new TaskCompletionSource() };
        using var impatient = new CancellationTokenSource();
        await writer.StartAsync(Cancel);
        var answers = new List<Task<int>>();
        for (var lane = 0; lane < 2; lane++)
        {
            answers.Add(writer.AddAsync(new Item(-lane), Cancel));
            await writer.StartedAsync(batches: 1);
        }

        var given = writer.AddAsync(new Item(7), impatient.Token);
        await impatient.CancelAsync();

        Assert.False((await Assert.ThrowsAsync<AbandonedCommitException>(() => given)).MayBeCommitted);
        writer.Hold.SetResult();
        await Task.WhenAll(answers);
        Assert.Equal(8, await writer.AddAsync(new Item(8), Cancel));
        Assert.DoesNotContain(writer.Batches, batch => batch.Any(item => item.Number == 7));
    }

    [Theory]
    [InlineData(Busy, false)]
    [InlineData(IoError, true)]
    public async Task Caller_who_leaves_between_attempts_learns_whether_one_may_have_committed(int fault, bool mayBeCommitted)
    {
        var isAway = true;
        await using var writer = new ListWriter
        {
            Commit = _ => Volatile.Read(ref isAway) ? throw new SqliteException("away", fault) : Task.CompletedTask,
        };
        using var impatient = new CancellationTokenSource();
        await writer.StartAsync(Cancel);
        await writer.OccupyLaneAsync();
        var given = writer.AddAsync(new Item(7), impatient.Token);
        await writer.StartedAsync(batches: 2);

        await impatient.CancelAsync();

        Assert.Equal(mayBeCommitted, (await Assert.ThrowsAsync<AbandonedCommitException>(() => given)).MayBeCommitted);
        Volatile.Write(ref isAway, false);
        Assert.Equal(8, await writer.AddAsync(new Item(8), Cancel));
        Assert.DoesNotContain(writer.Batches, batch => batch.Any(item => item.Number == 7));
    }

    [Fact]
    public async Task Caller_who_leaves_gets_the_result_of_a_commit_that_still_succeeds()
    {
        var commit = new TaskCompletionSource();
        await using var writer = new ListWriter { Commit = _ => commit.Task };
        using var impatient = new CancellationTokenSource();
        await writer.StartAsync(Cancel);
        var answer = writer.AddAsync(new Item(1), impatient.Token);
        await writer.StartedAsync(batches: 1);

        await impatient.CancelAsync();
        commit.SetResult();

        Assert.Equal(1, await answer);
    }
}
