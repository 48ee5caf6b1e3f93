using System.Buffers.Binary;
using System.Text;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>
/// Damages deliveries between broker and server, as no message can: the server corrects all headers that the broker accepts. The frame
/// after <c>basic.deliver</c> gets another type.
/// </summary>
internal static class BrokenFrame
{
    private const int FrameHeader = 7;
    private const byte Method = 1;
    private const byte Header = 2;
    private const byte Body = 3;

    private static readonly byte[] Deliver = [0, 60, 0, 60];

    /// <summary>Damages each first delivery with this routing key. A second delivery of the same message passes.</summary>
    public static Action<Memory<byte>> Of(string routingKey)
    {
        var key = Encoding.ASCII.GetBytes(routingKey);
        return bytes => Damage(bytes.Span, key);
    }

    private static void Damage(Span<byte> bytes, ReadOnlySpan<byte> routingKey)
    {
        for (var at = 0; bytes[at..].IndexOf(Deliver) is >= 0 and var found; at += found + 1)
        {
            var start = at + found - FrameHeader;
            if (start < 0 || bytes[start] != Method)
            {
                continue;
            }

            var size = BinaryPrimitives.ReadInt32BigEndian(bytes[(start + 3)..]);
            var next = start + FrameHeader + size + 1;
            if (size < 0 || next < 0 || next >= bytes.Length || bytes[next] != Header)
            {
                continue;
            }

            // Class, method, consumer tag, delivery tag, redelivered, exchange, routing key.
            var method = bytes.Slice(start + FrameHeader, size);
            var isAgain = method[4 + 1 + method[4] + 8] != 0;
            if (!isAgain && method.EndsWith(routingKey))
            {
                bytes[next] = Body;
            }
        }
    }
}
