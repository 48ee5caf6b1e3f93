using System.Net.Sockets;
using Dispatcher.Base;
using MassTransit;
using MassTransit.RabbitMqTransport;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace Dispatcher.Broker;

/// <summary>
/// Counts and logs each message that the client library cannot parse: it closes the whole connection, and the consumers never see the
/// message. RabbitMQ delivers it again until the delivery limit of its queue is reached: it moves to the parked queue, then to the poison
/// queue, and is dropped there. One instance per bus.
/// </summary>
internal sealed partial class ConnectionMonitor(string bus, DispatcherMetrics metrics, ILogger<ConnectionMonitor> logger)
    : IFilter<ChannelContext>
{
    private readonly Lock _one = new();
    private object? _watched;

    /// <summary>
    /// Runs for each endpoint of the bus, each time it connects, before it consumes. MassTransit runs the filters of the channel for each
    /// endpoint; it never runs those of the connection.
    /// </summary>
    public Task Send(ChannelContext context, IPipe<ChannelContext> next)
    {
        var connection = context.ConnectionContext.Connection;
        lock (_one)
        {
            // The endpoints of a bus share the connection.
            if (!ReferenceEquals(_watched, connection))
            {
                _watched = connection;
                connection.ConnectionShutdownAsync += LookAsync;
            }
        }

        return next.Send(context);
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("connectionWatch");

    /// <summary>
    /// Whether the client closed the connection because of what it read. A lost network is an IOException, a stop of ours is initiated by
    /// the application, one of the broker by the peer.
    /// </summary>
    internal static bool IsUnreceivable(ShutdownEventArgs reason) =>
        reason is { Initiator: ShutdownInitiator.Library, Exception: { } fault }
        && fault is not (IOException or OperationCanceledException or ObjectDisposedException)
        && fault.GetBaseException() is not SocketException;

    private Task LookAsync(object sender, ShutdownEventArgs reason)
    {
        if (IsUnreceivable(reason))
        {
            metrics.MessageUnreceivable(bus);
            Log.Unreceivable(logger, bus, reason.ReplyText);
        }

        return Task.CompletedTask;
    }

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.MessageUnreceivable,
            LogLevel.Error,
            "A message cannot be parsed and closed the connection of the {Bus} bus: {Reason}. The broker delivers it again, "
                + "parks it at the delivery limit and drops it at the limit of the poison queue; its publisher must be found and corrected"
        )]
        public static partial void Unreceivable(ILogger logger, string bus, string reason);
    }
}
