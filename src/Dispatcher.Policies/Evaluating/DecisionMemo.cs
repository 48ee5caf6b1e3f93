using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Evaluating;

/// <summary>
/// Decisions by what they rest on: the topic, the rules that matched, and whether one of them grants. Merging and hashing are done once for each such set, not for each job.
/// Bounded, because a producer who varies its labels could make many: there are two generations, and when the young one is full, it becomes the old one, which is
/// forgotten. So whoever fills it keeps nobody out for longer than that.
/// </summary>
internal sealed class DecisionMemo
{
    /// <summary>How many numbers the keys of one generation may have together: a decision is about as long as its key, because both list the rules.</summary>
    private const int MostNumbers = 500_000;

    /// <summary>What a decision takes beside its key, as so many numbers.</summary>
    private const int Overhead = 64;

    private readonly Lock _turn = new();
    private volatile Generation _young = new();
    private volatile Generation _old = new();

    public Decision? Get(ReadOnlySpan<int> key)
    {
        if (_young.Get(key) is { } known)
        {
            return known;
        }

        // What is still asked for moves on to the young, so that it is not forgotten.
        if (_old.Get(key) is { } older)
        {
            Keep(key, older);
            return older;
        }

        return null;
    }

    public void Keep(ReadOnlySpan<int> key, Decision decision)
    {
        var young = _young;
        if (young.Add(key, decision) < MostNumbers)
        {
            return;
        }

        lock (_turn)
        {
            if (_young == young)
            {
                _old = young;
                _young = new Generation();
            }
        }
    }

    private sealed class Generation
    {
        private readonly ConcurrentDictionary<int[], Decision>.AlternateLookup<ReadOnlySpan<int>> _decisions = new ConcurrentDictionary<
            int[],
            Decision
        >(new SameNumbers()).GetAlternateLookup<ReadOnlySpan<int>>();

        private int _size;

        public Decision? Get(ReadOnlySpan<int> key) => _decisions.TryGetValue(key, out var decision) ? decision : null;

        /// <summary>Answers the size after that.</summary>
        public int Add(ReadOnlySpan<int> key, Decision decision) =>
            _decisions.TryAdd(key, decision) ? Interlocked.Add(ref _size, key.Length + Overhead) : Volatile.Read(ref _size);
    }

    private sealed class SameNumbers : IEqualityComparer<int[]>, IAlternateEqualityComparer<ReadOnlySpan<int>, int[]>
    {
        public bool Equals(int[]? x, int[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode(int[] numbers) => GetHashCode(numbers.AsSpan());

        public bool Equals(ReadOnlySpan<int> alternate, int[] other) => alternate.SequenceEqual(other);

        public int GetHashCode(ReadOnlySpan<int> alternate)
        {
            HashCode hash = default;
            hash.AddBytes(MemoryMarshal.AsBytes(alternate));
            return hash.ToHashCode();
        }

        public int[] Create(ReadOnlySpan<int> alternate) => alternate.ToArray();
    }
}
