using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Evaluating;

/// <summary>
/// A cache of decisions by topic, matching rules and grant, so that merging and hashing happen once for each such combination instead of
/// for each job. Its size is bounded, because a producer that varies its labels could create many combinations. There are two generations:
/// when the young one is full, it replaces the old one. A flood of combinations therefore evicts other entries for a short time only.
/// </summary>
internal sealed class DecisionCache
{
    /// <summary>
    /// The maximum total length of the keys of one generation. A decision is about as long as its key, because both list the rules.
    /// </summary>
    private const int MaxNumbers = 500_000;

    /// <summary>The size of a decision without its key, in the same unit.</summary>
    private const int Overhead = 64;

    private readonly Lock _rotation = new();
    private volatile Generation _young = new();
    private volatile Generation _old = new();

    public Decision? Get(ReadOnlySpan<int> key)
    {
        if (_young.Get(key) is { } known)
        {
            return known;
        }

        // A used entry moves to the young generation, so that it is not evicted.
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
        if (young.Add(key, decision) < MaxNumbers)
        {
            return;
        }

        lock (_rotation)
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

        /// <summary>Adds a decision and returns the new size.</summary>
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
