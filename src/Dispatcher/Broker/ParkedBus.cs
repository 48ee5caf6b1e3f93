using MassTransit;

namespace Dispatcher.Broker;

/// <summary>
/// The bus of the parked and poison queues. It has a separate connection: a message that closes its connection at each delivery must not
/// close the connection of the intake. Readiness does not include it.
/// </summary>
internal abstract class ParkedBus(IBusControl bus) : BusInstance<ParkedBus>(bus)
{
    /// <summary>MassTransit needs two types: one to register, and one to create.</summary>
    internal sealed class Instance(IBusControl bus) : ParkedBus(bus);
}
