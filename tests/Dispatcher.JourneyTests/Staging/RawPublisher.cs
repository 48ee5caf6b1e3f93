using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>
/// Writes AMQP 0-9-1 frames without a client library: message headers that no library writes, but that the broker accepts and passes on.
/// </summary>
internal sealed class RawPublisher : IAsyncDisposable
{
    private const byte Method = 1;
    private const byte Header = 2;
    private const byte Body = 3;

    private readonly string _user;
    private readonly TcpClient _client = new();
    private NetworkStream _stream = null!;

    private RawPublisher(string user) => _user = user;

    /// <summary>Arrays in arrays: 5 bytes each. The frame limit of the broker allows some 26,000.</summary>
    public static byte[] NestedArrays(int levels)
    {
        var table = new List<byte> { 1, (byte)'a' };
        for (var level = levels; level > 0; level--)
        {
            table.AddRange([(byte)'A', .. UInt32((uint)(5 * (level - 1)))]);
        }

        return [.. table];
    }

    /// <summary>A decimal with a scale that .NET cannot represent. The client library closes the connection that delivers it.</summary>
    public static byte[] Decimal(byte scale) => [1, (byte)'d', (byte)'D', scale, 0, 0, 0, 7];

    public static async Task<RawPublisher> ConnectAsync(string vhost, string user)
    {
        var address = Servers.BrokerAs(user, vhost);
        var publisher = new RawPublisher(user);
        await publisher._client.ConnectAsync(address.Host, address.Port, Now);
        publisher._client.NoDelay = true;
        publisher._stream = publisher._client.GetStream();
        await publisher._stream.WriteAsync(new byte[] { (byte)'A', (byte)'M', (byte)'Q', (byte)'P', 0, 0, 9, 1 }, Now);
        await publisher.ReadAsync(10, 10);
        await publisher.SendAsync(
            0,
            10,
            11,
            [0, 0, 0, 0, .. Short("PLAIN"), .. Long(Encoding.ASCII.GetBytes($"\0{user}\0{Servers.Password}")), .. Short("en_US")]
        );
        await publisher.ReadAsync(10, 30);
        await publisher.SendAsync(0, 10, 31, [7, 255, .. UInt32(131_072), 0, 0]);
        await publisher.SendAsync(0, 10, 40, [.. Short(vhost), 0, 0]);
        await publisher.ReadAsync(10, 41);
        await publisher.SendAsync(1, 20, 10, [0]);
        await publisher.ReadAsync(20, 11);
        await publisher.SendAsync(1, 85, 10, [0]);
        await publisher.ReadAsync(85, 11);
        return publisher;
    }

    /// <summary>Returns when the broker has confirmed the message.</summary>
    public async Task PublishAsync(string exchange, string routingKey, byte[] headers, byte[] body)
    {
        // Headers, delivery mode, message id and user id: in the order of their flags.
        const ushort Flags = (1 << 13) | (1 << 12) | (1 << 7) | (1 << 4);
        await SendAsync(1, 60, 40, [0, 0, .. Short(exchange), .. Short(routingKey), 0]);
        var length = new byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(length, (ulong)body.Length);
        await FrameAsync(
            Header,
            1,
            [
                0,
                60,
                0,
                0,
                .. length,
                Flags >> 8,
                Flags & 255,
                .. Long(headers),
                2,
                .. Short(Guid.CreateVersion7().ToString()),
                .. Short(_user),
            ]
        );
        await FrameAsync(Body, 1, body);
        await ReadAsync(60, 80);
    }

    public ValueTask DisposeAsync()
    {
        _client.Dispose();
        return ValueTask.CompletedTask;
    }

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    private Task SendAsync(ushort channel, byte methodClass, byte method, byte[] arguments) =>
        FrameAsync(Method, channel, [0, methodClass, 0, method, .. arguments]);

    private async Task FrameAsync(byte type, ushort channel, byte[] payload) =>
        await _stream.WriteAsync(
            new byte[] { type, 0, (byte)channel }
                .Concat(UInt32((uint)payload.Length))
                .Concat(payload)
                .Append((byte)0xCE)
                .ToArray(),
            Now
        );

    private async Task ReadAsync(byte methodClass, byte method)
    {
        var start = new byte[7];
        do
        {
            await _stream.ReadExactlyAsync(start, Now);
            var payload = new byte[BinaryPrimitives.ReadUInt32BigEndian(start.AsSpan(3)) + 1];
            await _stream.ReadExactlyAsync(payload, Now);
            if (start[0] == Method)
            {
                Assert.Equal((methodClass, method), (payload[1], payload[3]));
                return;
            }
        } while (true);
    }

    private static byte[] Short(string text) => [(byte)text.Length, .. Encoding.ASCII.GetBytes(text)];

    private static byte[] Long(byte[] bytes) => [.. UInt32((uint)bytes.Length), .. bytes];

    private static byte[] UInt32(uint value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return bytes;
    }
}
