using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Dispatcher.Jobs;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Audit.Sealing;

/// <summary>
/// A signed statement that <c>dispatcher retain</c> dropped the entries up to a number, except those that it kept. It is the detail of a
/// timeline entry of kind <see cref="TimelineKinds.Retained"/>. A check of the history starts from it.
/// </summary>
internal sealed record Retention
{
    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        RespectRequiredConstructorParameters = true,
    };

    /// <summary>The first dropped day, <c>2026-10-01</c>, in UTC.</summary>
    public required string From { get; init; }

    /// <summary>The first day after the dropped ones, in UTC.</summary>
    public required string Before { get; init; }

    /// <summary>Number of dropped entries.</summary>
    public required long Entries { get; init; }

    /// <summary>Number of the last seal of the dropped days. It is the size of the closing checkpoint.</summary>
    public required long Size { get; init; }

    /// <summary>See <see cref="TimelineCheckpoint.Origin"/>.</summary>
    public required string Origin { get; init; }

    /// <summary>Root of the Merkle tree of this size, 64 hexadecimal digits.</summary>
    public required string Root { get; init; }

    /// <summary>Hash of the last seal, 64 hexadecimal digits.</summary>
    public required string Head { get; init; }

    /// <summary>The subtrees of the tree, so that it can grow from here. The root covers them.</summary>
    public required byte[] Frontier { get; init; }

    /// <summary>The numbers of the kept seals up to <see cref="Size"/>, see <see cref="KeptNumbers"/>.</summary>
    public required byte[] Kept { get; init; }

    /// <summary>Hash over the kept seals and their entries, see <see cref="KeptHash"/>. 64 hexadecimal digits.</summary>
    public required string KeptSha256 { get; init; }

    /// <summary>Microseconds since 1970 by the database's clock.</summary>
    public required long At { get; init; }

    public string KeyId { get; init; } = "";

    /// <summary>The signature over <see cref="SignedText"/>, in DER.</summary>
    public byte[] Signature { get; init; } = [];

    /// <summary>Reads the detail of an entry. Null: it is no such statement.</summary>
    public static Retention? Read(byte[] detail)
    {
        try
        {
            var read = JsonSerializer.Deserialize<Retention>(detail, Options);
            return read?.Tree() is not null && read.Head.Length == 2 * SealHash.Length && Convert.FromHexString(read.Head).Length > 0
                ? read
                : null;
        }
        catch (Exception unreadable) when (unreadable is JsonException or FormatException)
        {
            return null;
        }
    }

    public byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(this, Options);

    public byte[] SignedText() =>
        Encoding.UTF8.GetBytes(
            string.Create(
                CultureInfo.InvariantCulture,
                $"dispatcher/retention/v1\n{Origin}\n{Size}\n{Root}\n{Head}\n{From}\n{Before}\n{Entries}\n"
                    + $"{Convert.ToHexStringLower(SHA256.HashData(Kept))}\n{KeptSha256}\n{At}\n{KeyId}\n"
            )
        );

    /// <summary>The tree of the dropped days. Null: the subtrees do not result in the signed root.</summary>
    public MerkleFrontier? Tree() =>
        MerkleFrontier.Restore(Size, Frontier) is { } tree && Convert.ToHexStringLower(tree.Root()) == Root ? tree : null;

    public byte[] HeadHash() => Convert.FromHexString(Head);

    /// <summary>Whether the checkpoint states the same history as this.</summary>
    public bool IsClosedBy(TimelineCheckpoint checkpoint) =>
        checkpoint.Size == Size
        && checkpoint.Origin == Origin
        && Convert.ToHexStringLower(checkpoint.Root) == Root
        && Convert.ToHexStringLower(checkpoint.Head) == Head;
}

/// <summary>
/// A list of increasing numbers in a few bytes: each is written as its distance to the one before, in groups of 7 bits, lowest first.
/// </summary>
internal static class KeptNumbers
{
    private const int Bits = 7;
    private const int More = 1 << Bits;

    public static byte[] Write(IEnumerable<long> numbers)
    {
        var bytes = new List<byte>();
        var before = 0L;
        foreach (var number in numbers)
        {
            var rest = number - before;
            for (; rest >= More; rest >>= Bits)
            {
                bytes.Add((byte)((rest & (More - 1)) | More));
            }

            bytes.Add((byte)rest);
            before = number;
        }

        return [.. bytes];
    }

    public static List<long> Read(byte[] bytes)
    {
        var numbers = new List<long>();
        var (before, distance, shift) = (0L, 0L, 0);
        foreach (var part in bytes)
        {
            distance |= (long)(part & (More - 1)) << shift;
            shift += Bits;
            if (part < More)
            {
                before += distance;
                numbers.Add(before);
                (distance, shift) = (0, 0);
            }
        }

        return numbers;
    }
}

/// <summary>
/// A hash over kept seals and their entries, in the order of their numbers. The seals before them are dropped, so their own hashes cannot
/// be computed again.
/// </summary>
internal sealed class KeptHash
{
    private byte[] _hash = [];

    public void Add(TimelineSeal seal, TimelineEntry entry) =>
        _hash = SealHash.Of(entry, new SealPosition(seal.Seq, _hash, seal.JobPrevious, seal.Hash));

    public string Text() => Convert.ToHexStringLower(_hash);
}
