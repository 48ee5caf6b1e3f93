using System.Buffers;
using System.Text;

namespace Dispatcher.ReferenceWorker.Processes;

/// <summary>What a process writes: the first bytes and the last ones are kept, the rest is counted. Reads to the end, so that the process never blocks on a full pipe.</summary>
internal sealed class CappedOutput(int maxBytes)
{
    private const int TailBytes = 2048;

    private readonly Lock _gate = new();
    private readonly ArrayBufferWriter<byte> _head = new();
    private readonly byte[] _tail = new byte[TailBytes];
    private int _tailLength;
    private long _total;

    public async Task ReadAsync(Stream stream)
    {
        var buffer = new byte[16 * 1024];
        try
        {
            // Ended by the end of the stream: the process tree is killed, and its ends of the pipe with it.
            while (await stream.ReadAsync(buffer, CancellationToken.None) is > 0 and var read)
            {
                Add(buffer.AsSpan(0, read));
            }
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException)
        {
            // The pipe was closed from our side, since something that outlived the tree still held it.
        }
    }

    /// <summary>What has been read so far.</summary>
    public CapturedOutput Captured()
    {
        lock (_gate)
        {
            return new CapturedOutput(_head.WrittenSpan.ToArray(), _tail[.._tailLength], _total);
        }
    }

    private void Add(ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            _total += bytes.Length;
            _head.Write(bytes[..Math.Min(bytes.Length, maxBytes - _head.WrittenCount)]);
            var last = bytes[Math.Max(0, bytes.Length - TailBytes)..];
            var kept = Math.Min(_tailLength, TailBytes - last.Length);
            _tail.AsSpan(_tailLength - kept, kept).CopyTo(_tail);
            last.CopyTo(_tail.AsSpan(kept));
            _tailLength = kept + last.Length;
        }
    }
}

/// <summary>What a process wrote: its first bytes, its last bytes and how many there were.</summary>
internal sealed record CapturedOutput(byte[] First, byte[] Last, long Total)
{
    public static CapturedOutput Empty { get; } = new([], [], 0);

    /// <summary>The first bytes as text, at most that many, and whether there were more.</summary>
    public (string Text, bool Truncated) Head(int atMost)
    {
        var bytes = First.AsSpan(0, Math.Min(First.Length, atMost));
        var end = bytes.Length < Total ? EndOfWhole(bytes) : bytes.Length;
        return (Clean(bytes[..end]), end < Total);
    }

    /// <summary>The last bytes as text.</summary>
    public string Tail() => Clean(Last).TrimEnd();

    // Back to before a character that was cut in two.
    private static int EndOfWhole(ReadOnlySpan<byte> bytes)
    {
        var end = bytes.Length;
        while (end > 0 && bytes.Length - end < 3 && (bytes[end - 1] & 0xC0) == 0x80)
        {
            end--;
        }

        return end > 0 && bytes[end - 1] >= 0xC0 ? end - 1 : bytes.Length;
    }

    // U+0000 cannot be kept in a PostgreSQL text.
    private static string Clean(ReadOnlySpan<byte> utf8) => Encoding.UTF8.GetString(utf8).Replace('\0', '\uFFFD');
}
