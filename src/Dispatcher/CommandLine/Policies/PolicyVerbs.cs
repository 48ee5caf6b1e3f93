using System.CommandLine;
using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.CommandLine.Screens;

namespace Dispatcher.CommandLine.Policies;

/// <summary><c>dispatcher policy lint|test|explain|diff|status|activate|unpin</c>.</summary>
internal static class PolicyVerbs
{
    public static Command Create(ServerVerbs verbs, Terminal terminal) =>
        new("policy", "Check, test, explain and compare policies, show the bundle in force, and pin a bundle.")
        {
            PolicyLintVerb.Create(terminal),
            PolicyTestVerb.Create(terminal),
            PolicyExplainVerb.Create(terminal),
            PolicyDiffVerb.Create(verbs),
            Status(verbs),
            Activate(verbs),
            Unpin(verbs),
        };

    private static Verb Status(ServerVerbs verbs)
    {
        var verb = new Verb(
            "status",
            "Show the bundle in force, the policy folder, the bundle of each process, and the bundles that can be pinned. "
                + "Exit code 1 when the folder has errors.",
            "dispatcher policy status",
            "dispatcher policy status --json"
        );
        return verbs.Add(
            verb,
            async (call, cancellationToken) =>
            {
                var answer = await call.Api.PoliciesAsync(cancellationToken);
                var code = call.Report(answer, policies => ShowStatus(call.Screen, policies));
                return code == ExitCode.Done && answer.Body.Value("folder").Items("errors").Any() ? ExitCode.No : code;
            }
        );
    }

    private static Verb Activate(ServerVerbs verbs)
    {
        var hash = Identifiers.BundleHash();
        var verb = new Verb(
            "activate",
            "Put a stored bundle in force in every process and pin it: changes of policy folders have no effect until "
                + "'dispatcher policy unpin'.",
            "dispatcher policy activate 3f2b8c6d",
            "dispatcher policy activate 3f2b8c6d4e10 --json"
        )
        {
            hash,
        };
        return verbs.Add(
            verb,
            async (call, cancellationToken) =>
            {
                var body = JsonSerializer.SerializeToUtf8Bytes(new { hash = call.Arguments.GetRequiredValue(hash) });
                return call.Report(
                    await call.Api.ActivatePolicyAsync(body, cancellationToken),
                    inForce => call.Screen.Line($"bundle {inForce.Text("hash")} is in force and pinned")
                );
            }
        );
    }

    private static Verb Unpin(ServerVerbs verbs)
    {
        var verb = new Verb(
            "unpin",
            "End the pin: the bundle in the policy folder of the answering server is put in force at once, and changes "
                + "of folders apply again.",
            "dispatcher policy unpin",
            "dispatcher policy unpin --json"
        );
        return verbs.Add(
            verb,
            async (call, cancellationToken) =>
                call.Report(await call.Api.UnpinPolicyAsync(cancellationToken), answer => ShowUnpinned(call.Screen, answer))
        );
    }

    private static void ShowStatus(Screen screen, JsonElement policies)
    {
        var (inForce, folder) = (policies.Value("in_force"), policies.Value("folder"));
        screen.Fields(
            ("in force", inForce.ValueKind == JsonValueKind.Object ? inForce.Text("hash") : "none: every job is denied"),
            ("pinned", inForce.Text("pinned") == "true" ? "yes" : "no"),
            ("by", inForce.Text("actor")),
            ("since", screen.Time(inForce, "activated_at")),
            ("folder", folder.Text("path")),
            ("folder holds", folder.Text("hash") is { Length: > 0 } hash ? hash : "no valid bundle")
        );
        ShowErrors(screen, folder);
        foreach (var pool in policies.Items("pools_without_queue"))
        {
            screen.Line($"pool {pool.AsText()} has no queue on the broker: its jobs wait until the server has declared it");
        }

        screen.Line("");
        screen.Table(
            ["process", "version", "runs", "folder holds", "errors", "started", "seen"],
            policies
                .Items("processes")
                .Select(process =>
                    new[]
                    {
                        $"{process.Text("host")}/{process.Text("pid")}",
                        process.Text("version"),
                        Short(process.Text("policy_hash")),
                        Short(process.Text("folder_hash")),
                        process.Text("folder_errors"),
                        screen.Age(process, "started_at"),
                        screen.Age(process, "seen_at") + (process.Text("stale") == "true" ? ", stale" : ""),
                    }
                )
        );
        screen.Line("");
        screen.Table(
            ["bundle", "first in force"],
            policies.Items("bundles").Select(bundle => new[] { bundle.Text("hash"), screen.Age(bundle, "first_activated_at") })
        );
    }

    /// <summary>The first digits of a hash, enough to name a bundle.</summary>
    private static string Short(string hash) => hash[..Math.Min(12, hash.Length)];

    private static void ShowUnpinned(Screen screen, JsonElement answer)
    {
        var hash = answer.Value("in_force").Text("hash");
        if (answer.Text("returned_to_folder") == "true")
        {
            screen.Line($"unpinned; bundle {hash} of the policy folder is in force");
            return;
        }

        screen.Line($"unpinned; the policy folder has errors, so bundle {hash} stays in force until the folder is valid");
        ShowErrors(screen, answer.Value("folder"));
    }

    private static void ShowErrors(Screen screen, JsonElement folder)
    {
        foreach (var error in folder.Items("errors"))
        {
            screen.Line($"{error.Text("where")}: {error.Text("message")} [{error.Text("code")}]");
            screen.Line($"  fix: {error.Text("fix")}");
        }
    }
}
