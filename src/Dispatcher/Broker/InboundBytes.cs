using System.Net.Sockets;
using MassTransit;
using RabbitMQ.Client;

namespace Dispatcher.Broker;

/// <summary>
/// Limits the bytes of the messages that one connection holds in memory. A prefetch of RabbitMQ counts messages and not bytes, and the
/// client reads every delivery into memory before a consumer sees it. While the messages in processing have more than <see cref="Max"/>
/// bytes, the socket is not read, and the other messages wait at the broker. <see cref="InboundFrames"/> cuts bodies that are too large for
/// every consumer before they are counted.
/// </summary>
/// <remarks>See ops/decisions/0020. Each bus has one instance: it filters each endpoint of the bus and makes its sockets.</remarks>
internal sealed class InboundBytes(TimeProvider time) : IFilter<ReceiveContext>
{
    /// <summary>A full prefetch of typical jobs has a few MiB and never reaches it.</summary>
    public const long Max = 33_554_432;

    private static readonly TimeSpan CheckInterval = TimeSpan.FromMilliseconds(5);

    /// <summary>
    /// After this pause one buffer is read in any case. So the client still sees the heartbeats of the broker while the database is
    /// unavailable and messages are held. At this rate a frame of 128 KiB takes a few seconds, less than a heartbeat interval.
    /// </summary>
    private static readonly TimeSpan MaxPause = TimeSpan.FromSeconds(1);

    private long _held;

    /// <summary>Counts the bytes of a message from its delivery until it is acked or returned.</summary>
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

    public void Probe(ProbeContext context) => context.CreateFilterScope("inboundBytes").Add("most", Max);

    /// <summary>Makes the connections of this factory read only while there is capacity.</summary>
    public Task UseFor(ConnectionFactory factory)
    {
        factory.SocketFactory = family => new PacedClient(
            new Socket(family, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true },
            this,
            // With TLS, the bytes are encrypted here, so there are no frames to read.
            factory.Ssl.Enabled
                ? null
                : new InboundFrames()
        );
        return Task.CompletedTask;
    }

    /// <summary>Returns when there is capacity, or after <see cref="MaxPause"/>.</summary>
    internal async ValueTask CapacityAsync(CancellationToken cancellationToken)
    {
        for (var waited = TimeSpan.Zero; waited < MaxPause && Interlocked.Read(ref _held) > Max; waited += CheckInterval)
        {
            await Task.Delay(CheckInterval, time, cancellationToken);
        }
    }

    private sealed class PacedClient(Socket socket, InboundBytes bytes, InboundFrames? frames) : TcpClientAdapter(socket)
    {
        public override NetworkStream GetStream() => new PacedStream(Client, bytes, frames);
    }

    /// <summary>The client, and the TLS stream if there is one, call only this overload of the read methods.</summary>
    private sealed class PacedStream(Socket socket, InboundBytes bytes, InboundFrames? frames) : NetworkStream(socket)
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (frames is null)
            {
                await bytes.CapacityAsync(cancellationToken);
                return await base.ReadAsync(buffer, cancellationToken);
            }

            int ready;
            while ((ready = frames.Take(buffer.Span)) == 0)
            {
                await bytes.CapacityAsync(cancellationToken);
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
