using MassTransit;

namespace Dispatcher.Broker;

/// <summary>
/// The bus of the parked and poison queues. It has a connection of its own: a message that closes the connection each time it is
/// delivered must not close the one that takes in work.
/// Readiness does not look at it.
/// </summary>
internal abstract class ParkedBus(IBusControl bus) : BusInstance<ParkedBus>(bus)
{
    /// <summary>MassTransit asks for two types: the one that it registers, and one that it creates.</summary>
    internal sealed class Instance(IBusControl bus) : ParkedBus(bus);
}
