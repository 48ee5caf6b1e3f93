using System.Net.Sockets;
using Dispatcher.Broker;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

namespace Dispatcher.UnitTests.Broker;

public sealed class ConnectionMonitorTests
{
    [Fact]
    public void Fault_of_the_parser_is_an_unreceivable_message()
    {
        Assert.True(
            ConnectionMonitor.IsUnreceivable(
                new ShutdownEventArgs(ShutdownInitiator.Library, 502, "syntax", new SyntaxErrorException("scale"))
            )
        );
        Assert.True(
            ConnectionMonitor.IsUnreceivable(
                new ShutdownEventArgs(ShutdownInitiator.Library, 541, "internal", new ArgumentOutOfRangeException("span"))
            )
        );
    }

    [Fact]
    public void Lost_network_or_a_stop_is_not_an_unreceivable_message()
    {
        Assert.False(
            ConnectionMonitor.IsUnreceivable(new ShutdownEventArgs(ShutdownInitiator.Library, 0, "end", new EndOfStreamException()))
        );
        Assert.False(
            ConnectionMonitor.IsUnreceivable(
                new ShutdownEventArgs(ShutdownInitiator.Library, 541, "reset", new IOException("reset", new SocketException(104)))
            )
        );
        Assert.False(
            ConnectionMonitor.IsUnreceivable(
                new ShutdownEventArgs(ShutdownInitiator.Library, 541, "stopped", new OperationCanceledException())
            )
        );
        Assert.False(
            ConnectionMonitor.IsUnreceivable(
                new ShutdownEventArgs(ShutdownInitiator.Library, 541, "closed", new ObjectDisposedException("channel"))
            )
        );
        Assert.False(
            ConnectionMonitor.IsUnreceivable(
                new ShutdownEventArgs(
                    ShutdownInitiator.Library,
                    541,
                    "channel",
                    new KeyNotFoundException("The given key '2' was not present")
                )
            )
        );
        Assert.False(ConnectionMonitor.IsUnreceivable(new ShutdownEventArgs(ShutdownInitiator.Peer, 320, "broker stops")));
        Assert.False(ConnectionMonitor.IsUnreceivable(new ShutdownEventArgs(ShutdownInitiator.Application, 200, "Goodbye")));
    }
}
