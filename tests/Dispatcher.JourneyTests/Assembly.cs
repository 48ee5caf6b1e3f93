// Each journey has a virtual host and a database of its own, and waits more than it computes.
[assembly: Xunit.v3.Parallelization(MaxThreads = 3)]

namespace Dispatcher.JourneyTests;

/// <summary>The journeys that restart the shared servers, or fill the memory of the broker: one at a time, after all others.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
#pragma warning disable CA1711 // A collection of xUnit.
public sealed class AloneCollection
#pragma warning restore CA1711
{
    public const string Name = "alone";
}
