using System.Buffers.Binary;
using System.Text;

namespace Dispatcher.UnitTests.Broker;

/// <summary>Frames of AMQP 0-9-1 as the broker sends them.</summary>
internal static class Frames
{
    /// <summary>Method, content header and body of a delivery, with a heartbeat between them.</summary>
    public static byte[] Delivery(byte[] table, byte[] body, byte channel = 1) =>
        [.. Method(channel), .. Frame(8, 0, []), .. Frame(2, channel, Header(table, body.Length)), .. Body(body, channel)];

    public static byte[] Method(byte channel) =>
        Frame(1, channel, [0, 60, 0, 60, .. Short("tag"), .. new byte[8], 0, .. Short("exchange"), .. Short("key")]);

    /// <summary>With content type, content encoding, headers and delivery mode.</summary>
    public static byte[] Header(byte[] table, long bodySize)
    {
        var size = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(size, bodySize);
        return [0, 60, 0, 0, .. size, 0xF0, 0, .. Short("application/json"), .. Short("gzip"), .. Number(table.Length), .. table, 2];
    }

    public static byte[] Body(byte[] body, byte channel) => [.. body.Chunk(131_064).SelectMany(part => Frame(3, channel, part))];

    public static byte[] Frame(byte type, byte channel, byte[] payload) => [type, 0, channel, .. Number(payload.Length), .. payload, 0xCE];

    public static byte[] Value(string name, char type, params byte[] value) => [.. Short(name), (byte)type, .. value];

    public static byte[] Number(int number)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, number);
        return bytes;
    }

    private static byte[] Short(string text) => [(byte)text.Length, .. Encoding.ASCII.GetBytes(text)];
}
