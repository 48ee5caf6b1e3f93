using Dispatcher.Contracts;

namespace Dispatcher.CommandLine.Identities;

/// <summary>
/// The rights of a broker user in a virtual host, as regular expressions, and its tags. <c>ops/README.md</c> has them as a table under
/// "Broker users"; a test compares both.
/// </summary>
/// <param name="Configure">The exchanges and queues that it may declare and delete.</param>
/// <param name="Write">The exchanges that it may publish to and the queues that it may bind.</param>
/// <param name="Read">The queues that it may consume from and the exchanges that it may bind to.</param>
/// <param name="Topics">Its routing keys on a topic exchange. Null: not limited.</param>
/// <param name="Tags">The tags of the management plugin.</param>
internal sealed record BrokerRights(string Configure, string Write, string Read, TopicRights? Topics = null, string Tags = "")
{
    /// <summary>The name under which RabbitMQ checks the rights on the default exchange.</summary>
    public const string DefaultExchange = "amq.default";

    /// <summary>The tag of a user that may read figures from the management API.</summary>
    public const string MonitoringTag = "monitoring";

    private const string None = "^$";

    /// <summary>
    /// The one table of rights. <paramref name="user"/> and <paramref name="scope"/> are put in as they are: names need no escape in a
    /// regular expression, and topics are expressions already.
    /// </summary>
    public static BrokerRights Of(IdentityKind kind, string user, string scope) =>
        kind switch
        {
            IdentityKind.Server => new(
                @"^dispatcher\..*$",
                @"^(amq\.default|dispatcher\..*)$",
                @"^dispatcher\.(server\..*|jobs|work|outcomes|events|dead-letter|unrouted)$"
            ),
            IdentityKind.Producer => new(
                $@"^reply\.{user}\..*$",
                @"^dispatcher\.jobs$",
                $@"^reply\.{user}\..*$",
                // \z, because $ also matches before a line break at the end.
                new TopicRights(Exchanges.Jobs, $@"^{scope}\z", None)
            ),
            IdentityKind.MassTransitProducer => new(
                $@"^(dispatcher\.(jobs|unrouted)|reply\.{user}\..*)$",
                $@"^(dispatcher\.(jobs|unrouted)|reply\.{user}\..*)$",
                $@"^(dispatcher\.jobs|reply\.{user}\..*)$",
                new TopicRights(Exchanges.Jobs, $@"^{scope}\z", None)
            ),
            IdentityKind.Worker => new(None, @"^dispatcher\.outcomes$", $@"^dispatcher\.work\.{scope}$"),
            IdentityKind.DeadLetterOwner => new(
                $@"^dead-letters\.{user}\..*$",
                $@"^dead-letters\.{user}\..*$",
                $@"^(dispatcher\.dead-letter|dead-letters\.{user}\..*)$",
                new TopicRights(Exchanges.DeadLetter, None, $@"^{user}\..*$")
            ),
            IdentityKind.EventSubscriber => new(
                $@"^events\.{user}\..*$",
                $@"^events\.{user}\..*$",
                $@"^(dispatcher\.events|events\.{user}\..*)$",
                new TopicRights(Exchanges.Events, None, $@"^[^.#]+\.{scope}\..*$")
            ),
            IdentityKind.Monitoring => new(None, None, None, Tags: MonitoringTag),
        };
}

/// <summary>The routing keys (write) and binding keys (read) that a user may use on a topic exchange, as regular expressions.</summary>
internal sealed record TopicRights(string Exchange, string Write, string Read);
