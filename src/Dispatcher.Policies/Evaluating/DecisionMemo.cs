using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace Dispatcher.Policies.Evaluating;

/// <summary>
/// Decisions by what they rest on: the topic, the rules that matched, and whether one of them grants. Merging and hashing are done once for each such set, not for each job.
/// Bounded, because a producer who varies its labels could make many.
/// </summary>
internal sealed class DecisionMemo
{
    private const int Most = 10_000;

    private readonly ConcurrentDictionary<int[], Decision> _decisions;
    private readonly ConcurrentDictionary<int[], Decision>.AlternateLookup<ReadOnlySpan<int>> _lookup;
    private int _count;

    public DecisionMemo()
    {
        _decisions = new ConcurrentDictionary<int[], Decision>(new SameNumbers());
        _lookup = _decisions.GetAlternateLookup<ReadOnlySpan<int>>();
    }

    public Decision? Get(ReadOnlySpan<int> key) => _lookup.TryGetValue(key, out Decision? decision) ? decision : null;

    public void Keep(ReadOnlySpan<int> key, Decision decision)
    {
        if (_count < Most && _lookup.TryAdd(key, decision))
        {
            Interlocked.Increment(ref _count);
        }
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
