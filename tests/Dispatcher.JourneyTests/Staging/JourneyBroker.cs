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
            .. Journey.Producers.Select(journey.MakeProducerAsync),
            .. Pools.Select(pool => BrokerRoles.MakeUserAsync(journey.Name, "worker-" + pool, IdentityKind.Worker, pool)),
        ]);
    }

    /// <summary>Makes a broker user that may submit jobs, and read events and dead letters.</summary>
    public static Task MakeProducerAsync(this Journey journey, string user) =>
        Servers.MakeUserAsync(
            journey.Name,
            user,
            $@"^(reply\.)?{user}\..*",
            $@"^(dispatcher\.jobs|(reply\.)?{user}\..*)$",
            $@"^(dispatcher\.events|dispatcher\.dead-letter|(reply\.)?{user}\..*)$"
        );

    /// <summary>The connections of the one running dispatcher: its own and those of its two buses.</summary>
    public static async Task<IReadOnlyList<string>> ServerConnectionsAsync(this Journey journey)
    {
        IReadOnlyList<string> connections = [];
        await Eventually.IsAsync(
            async () => (connections = await Servers.ConnectionsAsync(journey.Name, Journey.ServerUser)).Count >= 3,
            () => "the broker lists the dispatcher's connections\n" + journey.Logs(),
            TimeSpan.FromSeconds(30)
        );
        return connections;
    }
}
