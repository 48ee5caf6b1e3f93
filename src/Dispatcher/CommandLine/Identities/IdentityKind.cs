using Dispatcher.Web;

namespace Dispatcher.CommandLine.Identities;

/// <summary>What the program of an identity does. The kind determines its rights on the broker, the server and the database.</summary>
internal enum IdentityKind
{
    /// <summary>Dispatcher itself: the broker user and the database role of <c>serve</c>.</summary>
    Server,

    /// <summary>Submits jobs with any AMQP client.</summary>
    Producer,

    /// <summary>Submits jobs with MassTransit, which must declare exchanges. Trusted like the server.</summary>
    MassTransitProducer,

    /// <summary>Runs the jobs of its pools.</summary>
    Worker,

    /// <summary>Reads the copies of its dead letters. Its name is that of the owner.</summary>
    DeadLetterOwner,

    /// <summary>Reads the events of some principals.</summary>
    EventSubscriber,

    /// <summary>Reads the figures of the broker, and no message.</summary>
    Monitoring,
}

/// <summary>The names of the kinds, and what each needs beside its broker user.</summary>
internal static class IdentityKinds
{
    private static readonly (IdentityKind Kind, string Name)[] Names =
    [
        (IdentityKind.Server, "server"),
        (IdentityKind.Producer, "producer"),
        (IdentityKind.MassTransitProducer, "masstransit-producer"),
        (IdentityKind.Worker, "worker"),
        (IdentityKind.DeadLetterOwner, "dead-letter-owner"),
        (IdentityKind.EventSubscriber, "event-subscriber"),
        (IdentityKind.Monitoring, "monitoring"),
    ];

    public static IEnumerable<string> All => Names.Select(kind => kind.Name);

    public static string Name(this IdentityKind kind) => Names.Single(known => known.Kind == kind).Name;

    /// <summary>Null: there is no such kind.</summary>
    public static IdentityKind? Find(string name) =>
        Names.FirstOrDefault(known => known.Name == name) is { Name: not null } found ? found.Kind : null;

    /// <summary>What the scope of an identity of this kind lists. Null: the kind has no scope.</summary>
    public static string? ScopeName(this IdentityKind kind) =>
        kind switch
        {
            IdentityKind.Producer or IdentityKind.MassTransitProducer => "topic",
            IdentityKind.Worker => "pool",
            IdentityKind.EventSubscriber => "principal",
            IdentityKind.Server or IdentityKind.DeadLetterOwner or IdentityKind.Monitoring => null,
        };

    /// <summary>The roles of the identity's API key. Empty: it needs no key.</summary>
    public static IReadOnlyList<string> KeyRoles(this Identity identity) =>
        identity.Kind switch
        {
            IdentityKind.Producer or IdentityKind.MassTransitProducer => [Role.Producer],
            IdentityKind.Worker => [.. identity.Scope.Select(pool => $"{Role.Worker}:{pool}")],
            IdentityKind.Server or IdentityKind.DeadLetterOwner or IdentityKind.EventSubscriber or IdentityKind.Monitoring => [],
        };
}
