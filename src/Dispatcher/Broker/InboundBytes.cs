using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using Dispatcher.Worker.RabbitMq;
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
internal sealed class InboundBytes(TimeProvider time, Uri broker) : IFilter<ReceiveContext>
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

    /// <summary>
    /// Makes the connections of this factory read only while there is capacity. For <c>amqps</c> the socket encrypts and decrypts, and the
    /// library uses it like one without TLS: the library would decrypt above the socket, where <see cref="InboundFrames"/> sees no frames.
    /// </summary>
    public Task UseFor(ConnectionFactory factory)
    {
        var tls = broker.Scheme.Equals("amqps", StringComparison.OrdinalIgnoreCase) ? ServerCertificate.Options(broker.Host) : null;
        factory.Ssl = new SslOption();
        factory.SocketFactory = family => new PacedClient(
            new Socket(family, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true },
            this,
            tls
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

    private sealed class PacedClient(Socket socket, InboundBytes bytes, SslClientAuthenticationOptions? tls) : TcpClientAdapter(socket)
    {
        private SslStream? _encrypted;

        public override async Task ConnectAsync(IPAddress ep, int port, CancellationToken cancellationToken = default)
        {
            await base.ConnectAsync(ep, port, cancellationToken);
            if (tls is not null)
            {
                _encrypted = new SslStream(new NetworkStream(Client));
                await _encrypted.AuthenticateAsClientAsync(tls, cancellationToken);
            }
        }

        /// <summary>Fails for a connection whose handshake did not end, so that no byte is sent in plain text.</summary>
        public override NetworkStream GetStream() =>
            tls is null || _encrypted is { IsAuthenticated: true }
                ? new PacedStream(Client, bytes, _encrypted)
                : throw new InvalidOperationException("The connection to the broker has no TLS.");

        protected override void Dispose(bool disposing)
        {
            _encrypted?.Dispose();
            base.Dispose(disposing);
        }
    }

    /// <summary>
    /// Reads and writes the bytes of AMQP. The client reads with this overload of the read methods alone. All write methods end in the two
    /// that are overridden first, so that with TLS none of them writes plain text.
    /// </summary>
    private sealed class PacedStream(Socket socket, InboundBytes bytes, SslStream? encrypted) : NetworkStream(socket)
    {
        private readonly InboundFrames _frames = new();

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            int ready;
            while ((ready = _frames.Take(buffer.Span)) == 0)
            {
                await bytes.CapacityAsync(cancellationToken);
                var read = await ReceiveAsync(_frames.Space, cancellationToken);
                if (read == 0)
                {
                    return 0;
                }

                _frames.Add(read);
            }

            return ready;
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            encrypted is null ? base.WriteAsync(buffer, cancellationToken) : encrypted.WriteAsync(buffer, cancellationToken);

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (encrypted is null)
            {
                base.Write(buffer);
            }
            else
            {
                encrypted.Write(buffer);
            }
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        private ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken) =>
            encrypted is null ? base.ReadAsync(buffer, cancellationToken) : encrypted.ReadAsync(buffer, cancellationToken);
    }
}
