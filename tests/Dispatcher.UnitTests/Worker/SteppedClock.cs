using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;

namespace Dispatcher.UnitTests.Worker;

/// <summary>A clock that stands still until the test advances it. It records the waits that the worker begins on it.</summary>
internal sealed class SteppedClock() : FakeTimeProvider(new DateTimeOffset(2026, 4, 1, 12, 0, 0, TimeSpan.Zero))
{
    private readonly ConcurrentDictionary<TimeSpan, int> _begun = new();
    private readonly Channel<TimeSpan> _waits = Channel.CreateUnbounded<TimeSpan>();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = base.CreateTimer(callback, state, dueTime, period);
        _begun.AddOrUpdate(dueTime, 1, (_, count) => count + 1);
        _waits.Writer.TryWrite(dueTime);
        return timer;
    }

    /// <summary>
    /// Waits until the worker has begun a wait of this length since the last call, then advances the time by it. Fails after ten
    /// seconds of real time. Only for a length that one part of the worker waits for.
    /// </summary>
    public async Task PassAsync(TimeSpan wait)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(TimeSpan.FromSeconds(10));
        while (!_begun.TryRemove(wait, out _))
        {
            try
            {
                await _waits.Reader.ReadAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                Assert.Fail($"The worker began no wait of {wait}. It began: {string.Join(", ", _begun.Keys.Order())}.");
            }
        }

        Advance(wait);
    }
}
