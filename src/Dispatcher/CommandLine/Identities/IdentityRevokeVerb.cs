using System.Text.Json;
using Dispatcher.Base;

namespace Dispatcher.CommandLine.Identities;

/// <summary><c>dispatcher identity revoke</c>.</summary>
internal static class IdentityRevokeVerb
{
    public static Verb Create(ServerVerbs verbs)
    {
        var name = IdentityParameters.Name();
        return verbs.Add(
            new Verb(
                "revoke",
                "End a principal at once: remove its broker user, which closes its connections; revoke its keys; lock and drop its "
                    + "database role, and end its sessions. Bindings to persons stay. Safe to repeat. Exit code 1 when a part "
                    + "was not looked for.",
                "dispatcher identity revoke worker-shell"
            )
            {
                name,
                IdentityParameters.RabbitMq,
                IdentityParameters.Postgres,
            },
            (call, cancellationToken) =>
                IdentityAccess.RunAsync(
                    call,
                    verbs.HasKey(call.Arguments),
                    access => RunAsync(call, access, call.Arguments.GetRequiredValue(name), cancellationToken)
                ),
            IdentityParameters.Json
        );
    }

    private static async Task<ExitCode> RunAsync(ServerCall call, IdentityAccess access, string name, CancellationToken cancellationToken)
    {
        if (name == access.Broker.Administrator)
        {
            throw new ExitException(
                ExitCode.No,
                $"{name} is the user of {BrokerManagement.SettingName}, which this command itself uses.",
                $"Set {BrokerManagement.SettingName} to another administrator first."
            );
        }

        // Each part on its own: a server that is down must not keep a stolen broker password alive.
        var failures = new List<ExitException>();
        var user = await PartAsync(failures, async () => await access.Broker.DeleteUserAsync(name, cancellationToken) ? "removed" : "none");
        var keys = access.HasServer
            ? await PartAsync(failures, async () => Revoked(await access.RevokeKeysAsync(name, cancellationToken)))
            : null;
        var role = access.Postgres is null
            ? null
            : await PartAsync(failures, async () => Removal(await access.Roles.RemoveAsync(name, cancellationToken)), access.Postgres);
        Show(call, name, (user, keys, role));
        foreach (var failure in failures)
        {
            call.Screen.Failure(failure.Message, failure.Fix);
        }

        return failures.Count > 0 ? failures[0].Code
            : keys is null || role is null ? ExitCode.No
            : ExitCode.Done;
    }

    private static string Revoked(int keys) => keys == 0 ? "none" : $"{keys} revoked";

    private static string Removal(RoleRemoval removal) =>
        removal switch
        {
            RoleRemoval.Missing => "none",
            RoleRemoval.Dropped => "dropped",
            RoleRemoval.Locked => "locked; it owns objects, or has rights in another database, and so is kept",
        };

    private static async Task<string> PartAsync(List<ExitException> failures, Func<Task<string>> remove, string? postgres = null)
    {
        try
        {
            return await remove();
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            failures.Add(ServerRun.Explained(fault, postgres));
            return "failed";
        }
    }

    private static void Show(ServerCall call, string name, (string User, string? Keys, string? Role) parts)
    {
        if (call.Json)
        {
            call.Screen.Json(
                JsonSerializer.Serialize(
                    new
                    {
                        name,
                        broker_user = parts.User,
                        keys = parts.Keys,
                        database_role = parts.Role,
                    }
                )
            );
            return;
        }

        call.Screen.Fields(
            ("name", name),
            ("broker user", parts.User),
            ("keys", parts.Keys ?? "not looked for: no API key is set (DISPATCHER_API_KEY)"),
            ("database role", parts.Role ?? "not looked for: no database is set (DISPATCHER_POSTGRES)")
        );
    }
}
