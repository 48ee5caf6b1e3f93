using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Dispatcher.Jobs;

namespace Dispatcher.Audit.Sealing;

/// <summary>
/// The position of an entry in the history: its number, the hash of the seal before it, and number and hash of the previous seal of the
/// same job. If there is none: 0 and an empty hash.
/// </summary>
internal readonly record struct SealPosition(long Seq, byte[] Previous, long JobPrevious, byte[] JobPreviousHash);

/// <summary>
/// The hash of a seal: SHA-256 of a tag, every column of the entry in the order of <see cref="Of"/>, and the position. Each field is
/// preceded by its length, so that no byte can move from one field into the next. Numbers are big-endian, the job id as in RFC 9562, texts
/// UTF-8.
/// </summary>
internal static class SealHash
{
    public const int Length = SHA256.HashSizeInBytes;

    private static readonly byte[] Tag = "dispatcher/timeline/v1\0"u8.ToArray();

    public static byte[] Of(TimelineEntry entry, SealPosition position)
    {
        using var fields = new FieldHash(Tag);
        fields.Add(entry.EntryId);
        fields.Add(entry.JobId);
        fields.Add(entry.At);
        fields.Add(entry.Kind);
        fields.Add(entry.Attempt);
        fields.Add(entry.Actor);
        fields.Add(entry.Detail);
        fields.Add(position.Seq);
        fields.Add(position.Previous);
        fields.Add(position.JobPrevious);
        fields.Add(position.JobPreviousHash);
        return fields.Finish();
    }

    private sealed class FieldHash : IDisposable
    {
        private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

        public FieldHash(byte[] tag) => _hash.AppendData(tag);

        public void Add(long value)
        {
            Span<byte> bytes = stackalloc byte[sizeof(long)];
            BinaryPrimitives.WriteInt64BigEndian(bytes, value);
            Add(bytes);
        }

        public void Add(Guid value)
        {
            Span<byte> bytes = stackalloc byte[16];
            value.TryWriteBytes(bytes, bigEndian: true, out _);
            Add(bytes);
        }

        public void Add(string value) => Add(Encoding.UTF8.GetBytes(value));

        public void Add(ReadOnlySpan<byte> bytes)
        {
            Span<byte> length = stackalloc byte[sizeof(long)];
            BinaryPrimitives.WriteInt64BigEndian(length, bytes.Length);
            _hash.AppendData(length);
            _hash.AppendData(bytes);
        }

        public byte[] Finish() => _hash.GetHashAndReset();

        public void Dispose() => _hash.Dispose();
    }
}
