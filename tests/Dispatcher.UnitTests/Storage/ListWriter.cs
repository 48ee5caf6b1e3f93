using System.Collections.Concurrent;
using Dispatcher.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace Dispatcher.UnitTests.Storage;

/// <summary>A group commit whose database is a list. The result of an item is its number.</summary>
internal sealed class ListWriter(TimeProvider? time = null)
    : GroupCommit<Item, int>(new StoreHealth(null, TimeProvider.System, NullLogger<StoreHealth>.Instance), time ?? TimeProvider.System),
        IAsyncDisposable
{
    private static readonly Item Endless = new(int.MinValue);

    private readonly SemaphoreSlim _started = new(0);
    private Task _occupied = Task.CompletedTask;

    public ConcurrentQueue<IReadOnlyList<Item>> Batches { get; } = new();

    /// <summary>Every commit waits for it.</summary>
    public TaskCompletionSource? Hold { get; init; }

    public Func<IReadOnlyList<Item>, Task> Commit { get; init; } = _ => Task.CompletedTask;

    public async Task StartedAsync(int batches)
    {
        for (var i = 0; i < batches; i++)
        {
            Assert.True(await _started.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken));
        }
    }

    /// <summary>
    /// Blocks one of the two lanes until the end. The other lane commits all later items, so an abandoned item is decided before the next
    /// item has its result.
    /// </summary>
    public async Task OccupyLaneAsync()
    {
        _occupied = AddAsync(Endless, CancellationToken.None);
        await StartedAsync(batches: 1);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None);
        await _occupied.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Dispose();
        _started.Dispose();
    }

    protected override Guid KeyOf(Item item) => item.Key;

    protected override async Task<IReadOnlyList<int>> CommitAsync(IReadOnlyList<Item> batch, CancellationToken cancellationToken)
    {
        _started.Release();
        await (Hold?.Task ?? Task.CompletedTask).WaitAsync(cancellationToken);
        await (batch.Contains(Endless) ? Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken) : Commit(batch));
        Batches.Enqueue(batch);
        return [.. batch.Select(item => item.Number)];
    }
}

/// <summary>An item of <see cref="ListWriter"/>.</summary>
internal sealed record Item(int Number)
{
    public Guid Key { get; init; } = Guid.CreateVersion7(TimeProvider.System.GetUtcNow());
}
