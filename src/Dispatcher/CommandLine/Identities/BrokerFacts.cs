namespace Dispatcher.CommandLine.Identities;

/// <summary>A user of the broker. A user belongs to the whole broker, its rights to one virtual host.</summary>
internal sealed record BrokerUser(string Name, string Tags);

/// <summary>The rights of a user in a virtual host, without its topic rights.</summary>
internal sealed record BrokerPermission(string User, string Configure, string Write, string Read);

/// <summary>The topic rights of a user on one exchange of a virtual host.</summary>
internal sealed record BrokerTopicPermission(string User, TopicRights Rights);

/// <summary>An open connection to a virtual host.</summary>
/// <param name="User">The broker user.</param>
/// <param name="Host">The address of the client, as the broker sees it.</param>
/// <param name="Product">The name of the client library.</param>
/// <param name="Name">The name that the client gave the connection. Empty: none.</param>
internal sealed record BrokerConnection(string User, string Host, string Product, string Name);

/// <summary>A policy of a virtual host, or a policy of its operator.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Pattern">Matches the names of the queues and exchanges that it changes.</param>
/// <param name="ApplyTo"><c>queues</c>, <c>exchanges</c>, <c>all</c>, or the type of queues that it changes.</param>
/// <param name="Keys">The arguments that it sets.</param>
/// <param name="IsOperators">It is a policy of the operator, which overrides the others.</param>
internal sealed record BrokerPolicy(string Name, string Pattern, string ApplyTo, IReadOnlyList<string> Keys, bool IsOperators)
{
    /// <param name="part"><c>queue</c> or <c>exchange</c>. All queues of Dispatcher are quorum queues.</param>
    public bool AppliesTo(string part) =>
        ApplyTo is "all" or "" || (part == "exchange" ? ApplyTo == "exchanges" : ApplyTo is "queues" or "quorum_queues");
}
