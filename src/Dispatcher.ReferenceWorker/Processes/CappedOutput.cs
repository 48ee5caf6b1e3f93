using System.Buffers;
using System.Text;

namespace Dispatcher.ReferenceWorker.Processes;

/// <summary>
/// The output of a process: keeps the first and the last bytes and counts the rest. Reads to the end, so that a full pipe never blocks
/// the process.
/// </summary>
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
            // Ends with the stream: the process tree is killed, and with it every writer of the pipe.
            while (await stream.ReadAsync(buffer, CancellationToken.None) is > 0 and var read)
            {
                Add(buffer.AsSpan(0, read));
            }
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException)
        {
            // This side closed the pipe, because a process that survived the kill still held it.
        }
    }

    /// <summary>The output that has been read so far.</summary>
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

/// <summary>The captured output of a process: its first bytes, its last bytes and the number of all.</summary>
internal sealed record CapturedOutput(byte[] First, byte[] Last, long Total)
{
    public static CapturedOutput Empty { get; } = new([], [], 0);

    /// <summary>The first bytes as text, up to the limit, and whether there were more.</summary>
    public (string Text, bool Truncated) Head(int atMost)
    {
        var bytes = First.AsSpan(0, Math.Min(First.Length, atMost));
        var end = bytes.Length < Total ? EndOfWhole(bytes) : bytes.Length;
        return (Clean(bytes[..end]), end < Total);
    }

    /// <summary>The last bytes as text.</summary>
    public string Tail() => Clean(Last).TrimEnd();

    // The end before a character that is cut in two.
    private static int EndOfWhole(ReadOnlySpan<byte> bytes)
    {
        var end = bytes.Length;
        while (end > 0 && bytes.Length - end < 3 && (bytes[end - 1] & 0xC0) == 0x80)
        {
            end--;
        }

        return end > 0 && bytes[end - 1] >= 0xC0 ? end - 1 : bytes.Length;
    }

    // PostgreSQL cannot store U+0000 in a text.
    private static string Clean(ReadOnlySpan<byte> utf8) => Encoding.UTF8.GetString(utf8).Replace('\0', '\uFFFD');
}
