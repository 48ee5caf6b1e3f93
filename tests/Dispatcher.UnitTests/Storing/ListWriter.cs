using System.Collections.Concurrent;
using Dispatcher.Storing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Dispatcher.UnitTests.Storing;

/// <summary>A real writer whose database is a list; a result is the item's number.</summary>
internal sealed class ListWriter()
    : GroupCommit<Item, int>(new StoreHealth(null, TimeProvider.System, NullLogger<StoreHealth>.Instance), TimeProvider.System), IAsyncDisposable
{
    private readonly SemaphoreSlim _started = new(0);

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

    public async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None);
        Dispose();
        _started.Dispose();
    }

    protected override Guid KeyOf(Item item) => item.Key;

    protected override async Task<IReadOnlyList<int>> CommitAsync(IReadOnlyList<Item> batch, CancellationToken cancellationToken)
    {
        _started.Release();
        await (Hold?.Task ?? Task.CompletedTask).WaitAsync(cancellationToken);
        await Commit(batch);
        Batches.Enqueue(batch);
        return [.. batch.Select(item => item.Number)];
    }
}

/// <summary>What <see cref="ListWriter"/> commits.</summary>
internal sealed record Item(int Number)
{
    public Guid Key { get; init; } = Guid.CreateVersion7(TimeProvider.System.GetUtcNow());
}
