using Dispatcher.Policies.Evaluating;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Policies.Evaluating;

/// <summary>
/// Decisions are cached by the rules that matched. A producer that varies its labels can neither fill the memory nor evict others for long.
/// </summary>
public class DecisionCacheTests
{
    private static readonly Decision Denied = Decision.Denied("x");

    [Fact]
    public void Cached_decision_is_found_only_by_the_same_numbers()
    {
        DecisionCache memo = new();

        memo.Keep([1, 2, 3], Denied);

        Assert.Same(Denied, memo.Get([1, 2, 3]));
        Assert.Null(memo.Get([1, 2]));
        Assert.Null(memo.Get([1, 2, 4]));
    }

    [Fact]
    public void Full_cache_still_accepts_a_new_decision()
    {
        DecisionCache memo = new();
        for (var i = 0; i < 100_000; i++)
        {
            memo.Keep([i], Denied);
            Assert.NotNull(memo.Get([i]));
        }

        Assert.InRange(Enumerable.Range(0, 100_000).Count(i => memo.Get([i]) is not null), 1_000, 30_000);
    }

    [Fact]
    public void Frequently_used_decision_stays_in_the_cache()
    {
        DecisionCache memo = new();
        memo.Keep([-1], Denied);

        for (var i = 0; i < 100_000; i++)
        {
            memo.Keep([i], Denied);
            Assert.NotNull(memo.Get([-1]));
        }
    }

    [Fact]
    public void Cache_bounds_the_total_size_of_long_keys()
    {
        DecisionCache memo = new();
        int[] Key(int i) => [i, .. Enumerable.Range(0, 10_000)];

        for (var i = 0; i < 2_000; i++)
        {
            memo.Keep(Key(i), Denied);
        }

        Assert.InRange(Enumerable.Range(0, 2_000).Count(i => memo.Get(Key(i)) is not null), 1, 200);
    }

    [Fact]
    public void Concurrent_threads_find_only_their_own_decisions()
    {
        DecisionCache memo = new();
        var wrong = 0;
        Thread[] threads =
        [
            .. Enumerable
                .Range(0, 4)
                .Select(n => new Thread(() =>
                {
                    var mine = Decision.Denied($"{n}");
                    for (var i = 0; i < 30_000; i++)
                    {
                        memo.Keep([n, i], mine);
                        Interlocked.Add(ref wrong, memo.Get([n, i]) is { } found && found != mine ? 1 : 0);
                    }
                })),
        ];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());

        Assert.Equal(0, wrong);
    }
}
