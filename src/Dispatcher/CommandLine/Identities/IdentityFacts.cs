namespace Dispatcher.CommandLine.Identities;

/// <summary>A key of the server, or a binding of a principal to a person (without roles), that is not revoked.</summary>
internal sealed record PrincipalKey(string KeyId, string Subject, string Person, IReadOnlyList<string> Roles);

/// <summary>A worker of the server's register that is alive.</summary>
/// <param name="Principal">The subject of its key, and its broker user.</param>
/// <param name="Pool">The pool that it serves.</param>
/// <param name="SharesCredential">Other instances use its credential, and not all of them registered it as shared.</param>
internal sealed record RegisteredWorker(string Principal, string Pool, bool SharesCredential);

/// <summary>What the server knows of principals.</summary>
/// <param name="Keys">Keys and bindings that are not revoked.</param>
/// <param name="Workers">The live workers.</param>
/// <param name="Submitters">Those of the producers that have submitted a job that is still stored.</param>
internal sealed record ServerFacts(
    IReadOnlyList<PrincipalKey> Keys,
    IReadOnlyList<RegisteredWorker> Workers,
    IReadOnlySet<string> Submitters
);

/// <summary>A principal with the parts that exist under its name.</summary>
/// <param name="Name">The name of all parts.</param>
/// <param name="Identity">Its kind and scope, derived from its rights on the broker. Null: it has no broker user, or other rights.</param>
/// <param name="User">Its broker user. Null: it has none.</param>
/// <param name="Keys">Its keys and bindings; empty when the server was not asked.</param>
/// <param name="Role">Its database role. Null: it has none, or the database was not asked.</param>
/// <param name="Connections">Its open connections to the broker.</param>
internal sealed record KnownPrincipal(
    string Name,
    Identity? Identity,
    BrokerUser? User,
    IReadOnlyList<PrincipalKey> Keys,
    DatabaseRole? Role,
    IReadOnlyList<BrokerConnection> Connections
);

/// <summary>What broker, server and database say of all principals at one moment.</summary>
internal sealed record IdentityFacts
{
    /// <summary>The user of the management API that read them.</summary>
    public required string Administrator { get; init; }

    public required IReadOnlyList<BrokerUser> Users { get; init; }

    public required IReadOnlyList<BrokerPermission> Permissions { get; init; }

    public required IReadOnlyList<BrokerTopicPermission> TopicPermissions { get; init; }

    public required IReadOnlyList<BrokerConnection> Connections { get; init; }

    /// <summary>Null: no key is set, so the server was not asked.</summary>
    public ServerFacts? Server { get; init; }

    /// <summary>Null: no database is set, so it was not asked.</summary>
    public IReadOnlyList<DatabaseRole>? Roles { get; init; }

    /// <summary>Every principal with rights in the virtual host, a key or a role, by name.</summary>
    public IReadOnlyList<KnownPrincipal> Principals() =>
        [
            .. Permissions
                .Select(row => row.User)
                .Concat(Server?.Keys.Where(key => key.Roles.Count > 0).Select(key => key.Subject) ?? [])
                .Concat(Roles?.Select(role => role.Name) ?? [])
                .Distinct(StringComparer.Ordinal)
                .Order(StringComparer.Ordinal)
                .Select(name => new KnownPrincipal(
                    name,
                    WithoutTags(name) is { } identity && identity.Rights.Tags == TagsOf(name) ? identity : null,
                    Users.FirstOrDefault(user => user.Name == name),
                    [.. Server?.Keys.Where(key => key.Subject == name) ?? []],
                    Roles?.FirstOrDefault(role => role.Name == name),
                    [.. Connections.Where(connection => connection.User == name)]
                )),
        ];

    /// <summary>The identity that has exactly the user's rights, whatever tags the user has. Null: there is none.</summary>
    public Identity? WithoutTags(string user)
    {
        var topics = TopicPermissions.Where(row => row.User == user).Select(row => row.Rights).ToList();
        return topics.Count <= 1 && Permissions.FirstOrDefault(row => row.User == user) is { } permission
            ? ((string[])["", BrokerRights.MonitoringTag])
                .Select(tags => new BrokerRights(permission.Configure, permission.Write, permission.Read, topics.FirstOrDefault(), tags))
                .Select(rights => Identity.WithRights(user, rights))
                .FirstOrDefault(identity => identity is not null)
            : null;
    }

    private string TagsOf(string name) => Users.FirstOrDefault(user => user.Name == name)?.Tags ?? "";
}
