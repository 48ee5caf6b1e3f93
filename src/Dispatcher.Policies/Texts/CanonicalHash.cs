using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Dispatcher.Policies.Texts;

/// <summary>
/// SHA-256 over a sequence of values. Its length precedes each text and each byte sequence, so that no two sequences have the same bytes.
/// </summary>
internal sealed class CanonicalHash : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    /// <param name="domain">The kind of content, for example <c>dispatcher/bundle/v1</c>, so that hashes of different kinds never
    /// coincide.</param>
    public CanonicalHash(string domain) => Add(domain);

    public void Add(string value) => Add(Encoding.UTF8.GetBytes(value));

    public void Add(ReadOnlySpan<byte> value)
    {
        Add(value.Length);
        _hash.AppendData(value);
    }

    public void Add(long value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(bytes, value);
        _hash.AppendData(bytes);
    }

    public void Add(long? value)
    {
        Add(value.HasValue ? 1L : 0L);
        Add(value ?? 0L);
    }

    public void Add(IReadOnlyList<string>? values)
    {
        Add(values?.Count ?? -1L);
        foreach (var value in values ?? [])
        {
            Add(value);
        }
    }

    public byte[] Finish() => _hash.GetHashAndReset();

    public string FinishHex() => Convert.ToHexStringLower(_hash.GetHashAndReset());

    public void Dispose() => _hash.Dispose();
}
