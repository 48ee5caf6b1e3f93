using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Dispatcher.Base;
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
        var fields = new FieldHash();
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

    /// <summary>The fields are hashed in one call: a call for each field costs more than the hash itself.</summary>
    private sealed class FieldHash
    {
        private readonly ArrayBufferWriter<byte> _fields = ScratchBuffer.Take();

        public FieldHash() => _fields.Write(Tag);

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

        public void Add(string value)
        {
            AddLength(Encoding.UTF8.GetByteCount(value));
            Encoding.UTF8.GetBytes(value, _fields);
        }

        public void Add(ReadOnlySpan<byte> bytes)
        {
            AddLength(bytes.Length);
            _fields.Write(bytes);
        }

        public byte[] Finish()
        {
            var hash = SHA256.HashData(_fields.WrittenSpan);
            ScratchBuffer.Return(_fields);
            return hash;
        }

        private void AddLength(long length)
        {
            Span<byte> bytes = stackalloc byte[sizeof(long)];
            BinaryPrimitives.WriteInt64BigEndian(bytes, length);
            _fields.Write(bytes);
        }
    }
}
