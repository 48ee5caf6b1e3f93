using System.Collections.Concurrent;
using Dispatcher.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace Dispatcher.UnitTests.Storage;

/// <summary>A real writer whose database is a list; a result is the item's number.</summary>
internal sealed class ListWriter(TimeProvider? time = null)
    : GroupCommit<Item, int>(new StoreHealth(null, TimeProvider.System, NullLogger<StoreHealth>.Instance), time ?? TimeProvider.System),
        IAsyncDisposable
{
    private static readonly Item Endless = new(int.MinValue);

    private readonly SemaphoreSlim _started = new(0);
    private Task _occupied = Task.CompletedTask;

    public ConcurrentQueue<IReadOnlyList<Item>> Batches { get; } = new();

    /// <summary>Commits wait for it.</summary>
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
    /// Holds one of the two lanes to the end. The other commits everything that follows, so that an item which was abandoned there is settled before
    /// the next one has its result.
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

/// <summary>What <see cref="ListWriter"/> commits.</summary>
internal sealed record Item(int Number)
{
    public Guid Key { get; init; } = Guid.CreateVersion7(TimeProvider.System.GetUtcNow());
}
