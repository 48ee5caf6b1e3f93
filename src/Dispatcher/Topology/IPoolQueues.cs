namespace Dispatcher.Topology;

/// <summary>Makes sure that a pool's work can be delivered before a bundle that names the pool is in force.</summary>
internal interface IPoolQueues
{
    Task DeclareAsync(IEnumerable<string> pools, CancellationToken cancellationToken);
}
