using Xunit.Sdk;
using Xunit.v3;

// Each journey has a virtual host and a database of its own, and waits more than it computes.
[assembly: Parallelization(MaxThreads = 4)]
[assembly: TestCollectionOrderer(typeof(Dispatcher.JourneyTests.LongestFirst))]

namespace Dispatcher.JourneyTests;

/// <summary>The journeys that restart the shared servers, or fill the memory of the broker: one at a time, after all others.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
#pragma warning disable CA1711 // A collection of xUnit.
public sealed class AloneCollection
#pragma warning restore CA1711
{
    public const string Name = "alone";
}

/// <summary>The stages of the alerts take longest. If they began last, one would run alone at the end.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [
            .. testCollections.OrderByDescending(collection =>
                collection.TestCollectionDisplayName.Contains("Alert", StringComparison.Ordinal)
            ),
        ];
}
