using Dispatcher.CommandLine.Identities;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>The virtual host of a journey.</summary>
internal static class JourneyBroker
{
    private static readonly string[] Pools = ["test", "repo", "strict"];

    /// <summary>Makes the virtual host and gives the users of the journey their rights in it.</summary>
    public static async Task MakeVhostAsync(this Journey journey)
    {
        await Servers.MakeVhostAsync(journey.Name);
        await Task.WhenAll([
            Servers.MakeUserAsync(journey.Name, "dispatcher", ".*", ".*", ".*"),
            BrokerRoles.MakeUserAsync(journey.Name, Journey.ServerUser, IdentityKind.Server),
            .. Journey.Producers.Select(producer =>
                Servers.MakeUserAsync(
                    journey.Name,
                    producer,
                    $@"^(reply\.)?{producer}\..*",
                    $@"^(dispatcher\.jobs|(reply\.)?{producer}\..*)$",
                    $@"^(dispatcher\.events|dispatcher\.dead-letter|(reply\.)?{producer}\..*)$"
                )
            ),
            .. Pools.Select(pool => BrokerRoles.MakeUserAsync(journey.Name, "worker-" + pool, IdentityKind.Worker, pool)),
        ]);
    }
}
