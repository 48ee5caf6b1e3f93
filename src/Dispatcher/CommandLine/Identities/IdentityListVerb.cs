using System.Text.Json;
using Dispatcher.Base;

namespace Dispatcher.CommandLine.Identities;

/// <summary><c>dispatcher identity list</c>.</summary>
internal static class IdentityListVerb
{
    public static Verb Create(ServerVerbs verbs) =>
        verbs.Add(
            new Verb(
                "list",
                "List all principals: their kind and scope, derived from their rights on the broker, and which parts they have. Keys are "
                    + "read when an API key is set, database roles when DISPATCHER_POSTGRES is set.",
                "dispatcher identity list",
                "dispatcher identity list --json"
            )
            {
                IdentityParameters.RabbitMq,
                IdentityParameters.Postgres,
            },
            (call, cancellationToken) =>
                IdentityAccess.RunAsync(
                    call,
                    verbs.HasKey(call.Arguments),
                    async access =>
                    {
                        Show(call, await access.ReadAsync(cancellationToken));
                        return ExitCode.Done;
                    }
                ),
            IdentityParameters.Json
        );

    /// <summary>Says which parts were not read, so that an empty cell is not taken for a missing part.</summary>
    public static void NoteUnread(ServerCall call, IdentityFacts facts)
    {
        if (facts.Server is null)
        {
            call.Screen.Note("Keys, workers and jobs were not read: no API key is set (DISPATCHER_API_KEY).");
        }

        if (facts.Roles is null)
        {
            call.Screen.Note("Database roles were not read: no database is set (DISPATCHER_POSTGRES).");
        }
    }

    private static void Show(ServerCall call, IdentityFacts facts)
    {
        var rows = facts.Principals();
        if (call.Json)
        {
            call.Screen.Json(
                JsonSerializer.Serialize(
                    new
                    {
                        identities = rows.Select(row => new
                        {
                            name = row.Name,
                            kind = row.Identity?.Kind.Name(),
                            scope = row.Identity?.Scope ?? [],
                            broker_user = row.User is not null,
                            connections = row.Connections.Count,
                            keys = facts.Server is null ? null : row.Keys.Where(key => key.Roles.Count > 0).Select(key => key.KeyId),
                            persons = facts.Server is null ? null : Persons(row),
                            database_role = facts.Roles is null ? (bool?)null : row.Role is not null,
                        }),
                    }
                )
            );
            return;
        }

        call.Screen.Table(
            ["name", "kind", "scope", "broker user", "connections", "keys", "database role", "persons"],
            rows.Select(row =>
                new[]
                {
                    row.Name,
                    row.Identity?.Kind.Name() ?? (row.User is null ? "" : "other rights"),
                    string.Join(", ", row.Identity?.Scope ?? []),
                    row.User is null ? "" : "yes",
                    $"{row.Connections.Count}",
                    facts.Server is null ? "?" : string.Join(", ", row.Keys.SelectMany(key => key.Roles)),
                    facts.Roles is null ? "?"
                    : row.Role is null ? ""
                    : "yes",
                    facts.Server is null ? "?" : string.Join(", ", Persons(row)),
                }
            )
        );
        NoteUnread(call, facts);
    }

    private static IEnumerable<string> Persons(KnownPrincipal row) =>
        row.Keys.Select(key => key.Person).Where(person => person.Length > 0).Distinct(StringComparer.Ordinal);
}
