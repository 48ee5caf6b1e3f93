using Dispatcher.CommandLine.Identities;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>Broker users with the rights that <c>dispatcher identity create</c> grants. Journeys run with exactly these.</summary>
internal static class BrokerRoles
{
    /// <summary>Makes a broker user with the rights of a kind and nothing else. The scope is that of <see cref="Identity"/>.</summary>
    public static async Task MakeUserAsync(string vhost, string user, IdentityKind kind, params string[] scope)
    {
        var identity = new Identity(user, kind, scope);
        Assert.Empty(identity.Mistakes());
        var rights = identity.Rights;
        await Servers.MakeUserAsync(vhost, user, rights.Configure, rights.Write, rights.Read);
        if (rights.Topics is { } topics)
        {
            await Servers.LimitTopicsAsync(vhost, user, topics.Exchange, topics.Write, topics.Read);
        }
    }
}
