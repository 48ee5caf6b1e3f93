using System.Text.RegularExpressions;
using Dispatcher.Contracts;

namespace Dispatcher.CommandLine.Identities;

/// <summary>A problem of one principal.</summary>
/// <param name="Code">What is wrong, in one word.</param>
/// <param name="Name">The principal.</param>
/// <param name="Message">What was seen.</param>
/// <param name="Fix">The command that ends the problem.</param>
/// <param name="IsHint">It may be as intended, and does not fail the check.</param>
internal sealed record IdentityFinding(string Code, string Name, string Message, string Fix, bool IsHint = false);

/// <summary>Finds shared credentials, unused identities, rights beyond need and identities that lack a part. Pure.</summary>
internal static class IdentityFindings
{
    /// <summary>The names of all connections of a server begin with it.</summary>
    private const string ServerConnection = "dispatcher";

    private static readonly string[] ManagementTags = ["administrator", "policymaker", "management", "impersonator"];

    public static IReadOnlyList<IdentityFinding> Of(IdentityFacts facts) =>
        [
            .. Guest(facts),
            .. facts
                .Principals()
                .SelectMany(principal =>
                    (IEnumerable<IdentityFinding>)
                        [
                            .. Tags(facts, principal),
                            .. Rights(facts, principal),
                            .. Shared(facts, principal),
                            .. Unused(facts, principal),
                            .. Incomplete(facts, principal),
                            .. DatabaseRights(facts, principal),
                            .. WithoutOwner(facts, principal),
                        ]
                ),
        ];

    private static IEnumerable<IdentityFinding> Guest(IdentityFacts facts)
    {
        if (facts.Users.Any(user => user.Name == "guest"))
        {
            yield return new(
                "guest",
                "guest",
                "the broker has the user guest, whose password everybody knows",
                facts.Administrator == "guest"
                    ? "make another administrator with \"rabbitmqctl add_user NAME\" and \"rabbitmqctl set_user_tags NAME administrator\", "
                        + $"set {BrokerManagement.SettingName} to it, and run \"dispatcher identity revoke guest\""
                    : "dispatcher identity revoke guest"
            );
        }
    }

    /// <summary>An administrator without a part of an identity is a person, and trusted like the server.</summary>
    private static bool IsAdministrator(IdentityFacts facts, KnownPrincipal principal) =>
        principal.User is { } user
        && (user.Name is "guest" || user.Name == facts.Administrator || HasTag(user, "administrator"))
        && facts.WithoutTags(user.Name) is null;

    private static IEnumerable<IdentityFinding> Tags(IdentityFacts facts, KnownPrincipal principal)
    {
        if (
            principal.User is { } user
            && ManagementTags.Where(tag => HasTag(user, tag)).ToList() is { Count: > 0 } tags
            && user.Name != facts.Administrator
            && (facts.WithoutTags(user.Name) is not null || principal.Keys.Any(key => key.Roles.Count > 0))
        )
        {
            var needed = facts.WithoutTags(user.Name)?.Rights.Tags ?? "";
            yield return new(
                "tags",
                principal.Name,
                $"the broker user has the tag {string.Join(", ", tags)}, which lets it change users or read messages of others",
                $"rabbitmqctl set_user_tags {principal.Name} {needed}".TrimEnd()
            );
        }
    }

    private static IEnumerable<IdentityFinding> Rights(IdentityFacts facts, KnownPrincipal principal)
    {
        if (
            principal.Identity is not null
            || IsAdministrator(facts, principal)
            || facts.WithoutTags(principal.Name) is not null
            || facts.Permissions.FirstOrDefault(row => row.User == principal.Name) is not { } permission
        )
        {
            yield break;
        }

        var fix = $"dispatcher identity revoke {principal.Name}, then dispatcher identity create {principal.Name} --kind KIND";
        var writesAll = Matches(permission.Write, BrokerRights.DefaultExchange);
        var hasTopics = facts.TopicPermissions.Any(row => row.User == principal.Name && row.Rights.Exchange == Exchanges.Jobs);
        var writesTopics = Matches(permission.Write, Exchanges.Jobs) && !hasTopics;
        if (writesAll)
        {
            yield return new(
                "default_exchange",
                principal.Name,
                $"it may publish to the default exchange, and so into any queue (write: {permission.Write})",
                fix
            );
        }

        if (writesTopics)
        {
            yield return new("every_topic", principal.Name, "it may publish every topic: no topic permission limits it", fix);
        }

        if (!writesAll && !writesTopics)
        {
            yield return new(
                "other_rights",
                principal.Name,
                $"its rights are those of no kind (configure: {permission.Configure}, write: {permission.Write}, read: {permission.Read})",
                fix
            );
        }
    }

    private static IEnumerable<IdentityFinding> Shared(IdentityFacts facts, KnownPrincipal principal)
    {
        if (facts.Server?.Workers.FirstOrDefault(worker => worker.Principal == principal.Name && worker.SharesCredential) is { } shared)
        {
            yield return new(
                "shared",
                principal.Name,
                $"several instances of a worker of pool {shared.Pool} use its key",
                $"dispatcher identity create {principal.Name}-2 --kind worker --pool {shared.Pool}, and give each instance its own"
            );
        }

        var strangers = principal.Identity?.Kind == IdentityKind.Server ? Strangers(principal.Connections).ToList() : [];
        var hosts = principal.Connections.Select(client => client.Host).Distinct(StringComparer.Ordinal).ToList();
        var products = principal.Connections.Select(client => client.Product).Distinct(StringComparer.Ordinal).ToList();
        // Servers and workers may run on any number of machines; the server compares the workers.
        var isElsewhere = hosts.Count > 1 && principal.Identity?.Kind is not IdentityKind.Worker;
        var areSeveral = principal.Identity?.Kind != IdentityKind.Server && (isElsewhere || products.Count > 1);
        if (strangers.Count > 0 || (areSeveral && !IsAdministrator(facts, principal)))
        {
            yield return new(
                "shared",
                principal.Name,
                strangers.Count > 0
                    ? $"a program other than the server uses its broker user (connection '{strangers[0].Name}' from {strangers[0].Host})"
                    : $"its connections come from {hosts.Count} hosts ({string.Join(", ", hosts)}) by {products.Count} client libraries",
                $"dispatcher identity create {principal.Name}-2 --kind KIND, and give each program an identity of its own"
            );
        }
    }

    /// <summary>Those of the connections of a server's user that no server made.</summary>
    public static IEnumerable<BrokerConnection> Strangers(IEnumerable<BrokerConnection> connections) =>
        connections.Where(client => !client.Name.StartsWith(ServerConnection, StringComparison.Ordinal));

    private static IEnumerable<IdentityFinding> Unused(IdentityFacts facts, KnownPrincipal principal)
    {
        if (principal is { Identity: { } identity, Connections.Count: 0 })
        {
            var isKnown =
                facts.Server is { } server
                && (server.Workers.Any(worker => worker.Principal == identity.Name) || server.Submitters.Contains(identity.Name));
            if (!isKnown)
            {
                yield return new(
                    "unused",
                    identity.Name,
                    "it has no connection to the broker, and the server knows no worker or job of it",
                    $"start its program, or dispatcher identity revoke {identity.Name}"
                );
            }
        }
    }

    private static IEnumerable<IdentityFinding> Incomplete(IdentityFacts facts, KnownPrincipal principal)
    {
        if (facts.Server is null)
        {
            yield break;
        }

        var roles = principal.Keys.SelectMany(key => key.Roles).ToList();
        if (principal.Identity is { } identity && identity.KeyRoles().Except(roles).ToList() is { Count: > 0 } missing)
        {
            yield return new(
                "incomplete",
                principal.Name,
                $"no key has the role {string.Join(", ", missing)}",
                $"dispatcher identity revoke {principal.Name}, then create it again"
            );
        }

        if (facts.Users.All(user => user.Name != principal.Name) && roles.Any(role => role.StartsWith("worker", StringComparison.Ordinal)))
        {
            yield return new(
                "incomplete",
                principal.Name,
                "a key lets it claim work, but it has no broker user",
                $"dispatcher identity revoke {principal.Name}"
            );
        }
    }

    private static IEnumerable<IdentityFinding> DatabaseRights(IdentityFacts facts, KnownPrincipal principal)
    {
        if (principal.Role is not { } role || IsAdministrator(facts, principal))
        {
            yield break;
        }

        if (principal.Identity is { Kind: not IdentityKind.Server } && role.Serves)
        {
            yield return new(
                "database_rights",
                role.Name,
                "its database role may read jobs, which only a server needs",
                $"dispatcher identity revoke {role.Name}, then create it again"
            );
        }
        else if (role.Excess.Count > 0)
        {
            yield return new(
                "database_rights",
                role.Name,
                $"its database role has more than a server needs: {string.Join(", ", role.Excess)}",
                role.ExcessFix
            );
        }
    }

    private static IEnumerable<IdentityFinding> WithoutOwner(IdentityFacts facts, KnownPrincipal principal)
    {
        if (
            facts.Server is not null
            && principal.Identity?.Kind is IdentityKind.Producer or IdentityKind.MassTransitProducer
            && principal.Keys.All(key => key.Person.Length == 0)
        )
        {
            yield return new(
                "no_owner",
                principal.Name,
                "no person is responsible for it, so its jobs that need an approval are denied",
                $"dispatcher keys bind --subject {principal.Name} --person NAME",
                IsHint: true
            );
        }
    }

    private static bool HasTag(BrokerUser user, string tag) => user.Tags.Split(',').Contains(tag, StringComparer.Ordinal);

    /// <summary>As the broker compares. An expression that cannot be read here counts as one that matches.</summary>
    public static bool Matches(string expression, string name)
    {
        try
        {
            return Regex.IsMatch(name, expression, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1));
        }
        catch (Exception unreadable) when (unreadable is ArgumentException or RegexMatchTimeoutException)
        {
            return true;
        }
    }
}
