using System.Net.Sockets;
using Dispatcher.Base;
using MassTransit;
using MassTransit.RabbitMqTransport;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace Dispatcher.Broker;

/// <summary>
/// Counts and logs each message that the client library cannot parse. Such a message closes the connection before a consumer sees it.
/// RabbitMQ delivers it again up to the delivery limit of its queue, then moves it to the parked queue and the poison queue, and drops it
/// there. Each bus has one instance.
/// </summary>
internal sealed partial class ConnectionMonitor(string bus, DispatcherMetrics metrics, ILogger<ConnectionMonitor> logger)
    : IFilter<ChannelContext>
{
    private readonly Lock _one = new();
    private object? _monitored;

    /// <summary>
    /// Runs each time an endpoint of the bus connects, before it consumes. MassTransit runs the channel filters of an endpoint; it never
    /// runs connection filters.
    /// </summary>
    public Task Send(ChannelContext context, IPipe<ChannelContext> next)
    {
        var connection = context.ConnectionContext.Connection;
        lock (_one)
        {
            // The endpoints of a bus share the connection.
            if (!ReferenceEquals(_monitored, connection))
            {
                _monitored = connection;
                metrics.BusConnected(bus);
                connection.ConnectionShutdownAsync += ReportAsync;
            }
        }

        return next.Send(context);
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("connectionWatch");

    /// <summary>
    /// Whether the client closed the connection because it could not parse its input. A lost network is an IOException. A frame of a
    /// channel that this side has closed is a KeyNotFoundException. A stop of the server has the initiator Application, a stop of the
    /// broker the initiator Peer.
    /// </summary>
    internal static bool IsUnreceivable(ShutdownEventArgs reason) =>
        reason is { Initiator: ShutdownInitiator.Library, Exception: { } fault }
        && fault is not (IOException or KeyNotFoundException or OperationCanceledException or ObjectDisposedException)
        && fault.GetBaseException() is not SocketException;

    private Task ReportAsync(object sender, ShutdownEventArgs reason)
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
