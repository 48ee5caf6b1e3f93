using Dispatcher.Policies.Evaluating;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Policies.Evaluating;

/// <summary>Decisions are kept by the rules that matched, and a producer who varies its labels can neither fill the memory nor keep others out.</summary>
public class DecisionMemoTests
{
    private static readonly Decision Denied = Decision.Denied("x");

    [Fact]
    public void What_is_kept_is_found_again_by_the_same_numbers_only()
    {
        DecisionMemo memo = new();

        memo.Keep([1, 2, 3], Denied);

        Assert.Same(Denied, memo.Get([1, 2, 3]));
        Assert.Null(memo.Get([1, 2]));
        Assert.Null(memo.Get([1, 2, 4]));
    }

    [Fact]
    public void However_many_came_before_a_new_one_is_kept()
    {
        DecisionMemo memo = new();
        for (var i = 0; i < 100_000; i++)
        {
            memo.Keep([i], Denied);
            Assert.NotNull(memo.Get([i]));
        }

        Assert.InRange(Enumerable.Range(0, 100_000).Count(i => memo.Get([i]) is not null), 1_000, 30_000);
    }

    [Fact]
    public void What_is_asked_for_all_the_time_stays()
    {
        DecisionMemo memo = new();
        memo.Keep([-1], Denied);

        for (var i = 0; i < 100_000; i++)
        {
            memo.Keep([i], Denied);
            Assert.NotNull(memo.Get([-1]));
        }
    }

    [Fact]
    public void Long_keys_are_bounded_by_what_they_take_together()
    {
        DecisionMemo memo = new();
        int[] Key(int i) => [i, .. Enumerable.Range(0, 10_000)];

        for (var i = 0; i < 2_000; i++)
        {
            memo.Keep(Key(i), Denied);
        }

        Assert.InRange(Enumerable.Range(0, 2_000).Count(i => memo.Get(Key(i)) is not null), 1, 200);
    }

    [Fact]
    public void Threads_that_fill_it_at_once_find_only_their_own()
    {
        DecisionMemo memo = new();
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
