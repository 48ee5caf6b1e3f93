using Dispatcher.Broker;
using Dispatcher.CommandLine.Identities;
using Dispatcher.Contracts;

namespace Dispatcher.CommandLine.Diagnosing;

/// <summary>
/// Checks that only the management API of the broker allows: the rights and tags of the server's user, who else uses it, and policies that
/// change the queues of Dispatcher. They change nothing.
/// </summary>
internal static class ManagementChecks
{
    /// <summary>The user that the broker has from its installation on.</summary>
    public const string Guest = "guest";

    /// <summary>Keys of a policy that lose, move or refuse messages, or replicate a queue in another way.</summary>
    private static readonly string[] Changing =
    [
        "dead-letter-exchange",
        "dead-letter-routing-key",
        "dead-letter-strategy",
        "max-length",
        "max-length-bytes",
        "overflow",
        "message-ttl",
        "expires",
        "delivery-limit",
        "alternate-exchange",
    ];

    private const string HighAvailability = "ha-";

    public static async Task RunAsync(
        Diagnosis diagnosis,
        string user,
        string virtualHost,
        IReadOnlyList<string> pools,
        CancellationToken cancellationToken
    )
    {
        if (diagnosis.Setting(BrokerManagement.SettingName) is not { } setting)
        {
            diagnosis.Skip($"rights and tags of the broker user, and policies of the broker: {BrokerManagement.SettingName} is not set");
            return;
        }

        await diagnosis.ConnectedAsync(
            "management",
            ConnectionSettings.None,
            "rights and tags of the broker user, and policies of the broker: the management API cannot be used",
            async () =>
            {
                using var broker = new BrokerManagement(setting, virtualHost);
                if (user != Guest)
                {
                    var permissions = await broker.PermissionsAsync(cancellationToken);
                    CheckRights(diagnosis, user, virtualHost, permissions.FirstOrDefault(row => row.User == user));
                    CheckTags(diagnosis, user, await broker.UsersAsync(cancellationToken));
                    CheckShared(diagnosis, user, await broker.ConnectionsAsync(cancellationToken));
                }

                CheckPolicies(diagnosis, virtualHost, await broker.PoliciesAsync(cancellationToken), pools);
            }
        );
    }

    /// <summary>The command that gives the user exactly the rights of a server.</summary>
    public static string RightsFix(string user, string virtualHost)
    {
        var need = Need(user);
        return $"rabbitmqctl set_permissions -p {Quoted(virtualHost)} {Quoted(user)} '{need.Configure}' '{need.Write}' '{need.Read}'";
    }

    /// <summary>A name as one argument of a shell.</summary>
    public static string Quoted(string name) => $"'{name.Replace("'", @"'\''", StringComparison.Ordinal)}'";

    private static BrokerRights Need(string user) => BrokerRights.Of(IdentityKind.Server, user, "");

    private static void CheckRights(Diagnosis diagnosis, string user, string virtualHost, BrokerPermission? seen)
    {
        var need = Need(user);
        if (seen is null || (seen.Configure, seen.Write, seen.Read) == (need.Configure, need.Write, need.Read))
        {
            // Without a permission the connection is refused, which is a finding already.
            return;
        }

        var (has, allowed) = (
            $"configure '{seen.Configure}', write '{seen.Write}', read '{seen.Read}'",
            $"configure '{need.Configure}', write '{need.Write}', read '{need.Read}'"
        );
        string[] names = [.. QueueNames.Sources.Select(source => source.Queue), Exchanges.Work, Exchanges.DeadLetter, QueueNames.Unrouted];
        string[] written = [BrokerRights.DefaultExchange, .. names];
        if (names.All(name => Matches(seen.Configure, name) && Matches(seen.Read, name)) && written.All(name => Matches(seen.Write, name)))
        {
            diagnosis.Warning("broker_rights_beyond_need", $"user {user}", has, allowed, RightsFix(user, virtualHost));
        }
        else
        {
            diagnosis.Error("broker_rights", $"user {user}", has, allowed, RightsFix(user, virtualHost));
        }
    }

    private static void CheckTags(Diagnosis diagnosis, string user, IReadOnlyList<BrokerUser> users)
    {
        if (users.FirstOrDefault(one => one.Name == user) is { Tags: { Length: > 0 } tags })
        {
            diagnosis.Warning(
                "broker_tags",
                $"user {user}",
                $"it has the tag {tags}, which a server does not need",
                "no tag",
                $"rabbitmqctl set_user_tags {Quoted(user)}"
            );
        }
    }

    private static void CheckShared(Diagnosis diagnosis, string user, IReadOnlyList<BrokerConnection> connections)
    {
        if (IdentityFindings.Strangers(connections.Where(connection => connection.User == user)).FirstOrDefault() is { } stranger)
        {
            diagnosis.Warning(
                "broker_user_shared",
                $"user {user}",
                $"a program other than the server uses it (connection '{stranger.Name}' from {stranger.Host})",
                "only servers",
                "dispatcher identity create NAME --kind KIND, and give that program an identity of its own"
            );
        }
    }

    private static void CheckPolicies(
        Diagnosis diagnosis,
        string virtualHost,
        IReadOnlyList<BrokerPolicy> policies,
        IReadOnlyList<string> pools
    )
    {
        var names = TopologyPart.OfServer.Concat(pools.Select(TopologyPart.OfPool)).Select(part => part.Name.Split(' ')).ToList();
        foreach (var policy in policies)
        {
            var matched = names
                .Where(name => policy.AppliesTo(name[0]) && Matches(policy.Pattern, name[1]))
                .Select(name => name[1])
                .ToList();
            var keys = policy.Keys.Where(key => Changing.Contains(key, StringComparer.Ordinal)).ToList();
            var replicates = policy.Keys.Any(key => key.StartsWith(HighAvailability, StringComparison.Ordinal));
            var fix =
                $"rabbitmqctl {(policy.IsOperators ? "clear_operator_policy" : "clear_policy")} -p {Quoted(virtualHost)} "
                + $"{Quoted(policy.Name)}. Or change its pattern so that it does not match dispatcher.*.";
            if (matched.Count > 0 && keys.Count > 0)
            {
                diagnosis.Error(
                    "broker_policy",
                    $"policy {policy.Name}",
                    $"its pattern '{policy.Pattern}' matches {matched[0]}{(matched.Count > 1 ? $" and {matched.Count - 1} more" : "")}, "
                        + $"and it sets {string.Join(", ", keys)}",
                    "no policy that drops, moves or refuses messages of dispatcher.*",
                    fix
                );
            }
            else if (matched.Count > 0 && replicates)
            {
                diagnosis.Warning(
                    "broker_policy",
                    $"policy {policy.Name}",
                    $"its pattern '{policy.Pattern}' matches {matched[0]}, and it sets ha-mode, which quorum queues do not use",
                    "quorum queues, which replicate by themselves",
                    fix
                );
            }
        }
    }

    /// <summary>As the broker compares. An expression that cannot be read here counts as one that matches.</summary>
    private static bool Matches(string expression, string name) => IdentityFindings.Matches(expression, name);
}
