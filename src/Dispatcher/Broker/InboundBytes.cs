using System.Net.Sockets;
using MassTransit;
using RabbitMQ.Client;

namespace Dispatcher.Broker;

/// <summary>
/// Bounds the bytes of the messages that one connection holds in memory. RabbitMQ counts a prefetch in messages only, and the client
/// reads every delivery into memory before a consumer sees it. While the messages that are being processed have more than
/// <see cref="Most"/> bytes, nothing more is read from the socket: the rest waits at the broker. Larger bodies than any consumer takes
/// are cut before, see <see cref="InboundFrames"/>.
/// </summary>
/// <remarks>See ops/decisions/0020. One instance per bus: it is a filter of each of its endpoints and makes its sockets.</remarks>
internal sealed class InboundBytes(TimeProvider time) : IFilter<ReceiveContext>
{
    /// <summary>A full prefetch of usual jobs has a few MiB and never reaches it.</summary>
    public const long Most = 33_554_432;

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(5);

    /// <summary>
    /// A read that waits this long reads one buffer all the same: the heartbeats of the broker stay visible while the database is away
    /// and messages are held. A frame of 128 KiB takes a few seconds at this pace, less than a heartbeat.
    /// </summary>
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    private long _held;

    /// <summary>Counts a message from before it is deserialized until it is acked or returned.</summary>
    public async Task Send(ReceiveContext context, IPipe<ReceiveContext> next)
    {
        var bytes = context.Body.Length ?? 0;
        Interlocked.Add(ref _held, bytes);
        try
        {
            await next.Send(context);
        }
        finally
        {
            Interlocked.Add(ref _held, -bytes);
        }
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("inboundBytes").Add("most", Most);

    /// <summary>Has the connections of this factory read only while there is room.</summary>
    public Task UseFor(ConnectionFactory factory)
    {
        factory.SocketFactory = family => new PacedClient(
            new Socket(family, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true },
            this,
            // With TLS, the client decrypts what is read here: there are no frames to see in it.
            factory.Ssl.Enabled
                ? null
                : new InboundFrames()
        );
        return Task.CompletedTask;
    }

    /// <summary>Returns when there is room, or after the longest pause.</summary>
    internal async ValueTask RoomAsync(CancellationToken cancellationToken)
    {
        for (var waited = TimeSpan.Zero; waited < LongestPause && Interlocked.Read(ref _held) > Most; waited += Look)
        {
            await Task.Delay(Look, time, cancellationToken);
        }
    }

    private sealed class PacedClient(Socket socket, InboundBytes bytes, InboundFrames? frames) : TcpClientAdapter(socket)
    {
        public override NetworkStream GetStream() => new PacedStream(Client, bytes, frames);
    }

    /// <summary>The client, and TLS where it is on, reads through one method only.</summary>
    private sealed class PacedStream(Socket socket, InboundBytes bytes, InboundFrames? frames) : NetworkStream(socket)
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (frames is null)
            {
                await bytes.RoomAsync(cancellationToken);
                return await base.ReadAsync(buffer, cancellationToken);
            }

            int ready;
            while ((ready = frames.Take(buffer.Span)) == 0)
            {
                await bytes.RoomAsync(cancellationToken);
                var read = await base.ReadAsync(frames.Space, cancellationToken);
                if (read == 0)
                {
                    return 0;
                }

                frames.Add(read);
            }

            return ready;
        }
    }
}
