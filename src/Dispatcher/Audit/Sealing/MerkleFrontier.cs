using System.Numerics;
using System.Security.Cryptography;

namespace Dispatcher.Audit.Sealing;

/// <summary>
/// A Merkle tree as in RFC 6962 that only grows. It keeps the roots of its complete subtrees, largest first, at most 63 hashes.
/// </summary>
internal sealed class MerkleFrontier
{
    private const byte LeafPrefix = 0;
    private const byte NodePrefix = 1;

    private readonly List<byte[]> _subtrees;

    public MerkleFrontier() => _subtrees = [];

    private MerkleFrontier(long size, List<byte[]> subtrees) => (Size, _subtrees) = (size, subtrees);

    /// <summary>Number of leaves.</summary>
    public long Size { get; private set; }

    /// <summary>Restores a tree from its subtrees. Null: their number does not match the size.</summary>
    public static MerkleFrontier? Restore(long size, byte[] subtrees) =>
        size >= 0 && subtrees.Length == BitOperations.PopCount((ulong)size) * SHA256.HashSizeInBytes
            ? new MerkleFrontier(size, [.. subtrees.Chunk(SHA256.HashSizeInBytes)])
            : null;

    public void Add(byte[] leaf)
    {
        _subtrees.Add(Hash(LeafPrefix, leaf, []));

        // Each pair of equal complete subtrees becomes one subtree, like the carry in binary counting.
        for (var full = Size; (full & 1) == 1; full >>= 1)
        {
            var right = _subtrees[^1];
            _subtrees.RemoveAt(_subtrees.Count - 1);
            _subtrees[^1] = Hash(NodePrefix, _subtrees[^1], right);
        }

        Size++;
    }

    /// <summary>The hash of all leaves. An empty tree has the hash of no bytes.</summary>
    public byte[] Root()
    {
        if (_subtrees.Count == 0)
        {
            return SHA256.HashData([]);
        }

        var root = _subtrees[^1];
        for (var i = _subtrees.Count - 2; i >= 0; i--)
        {
            root = Hash(NodePrefix, _subtrees[i], root);
        }

        return root;
    }

    /// <summary>The subtrees, for <see cref="Restore"/>.</summary>
    public byte[] ToBytes() => [.. _subtrees.SelectMany(subtree => subtree)];

    private static byte[] Hash(byte prefix, byte[] left, byte[] right)
    {
        var bytes = new byte[1 + left.Length + right.Length];
        bytes[0] = prefix;
        left.CopyTo(bytes, 1);
        right.CopyTo(bytes, 1 + left.Length);
        return SHA256.HashData(bytes);
    }
}
