using System.CommandLine;
using System.Text.Json;
using Dispatcher.CommandLine.Screens;

namespace Dispatcher.CommandLine;

/// <summary><c>dispatcher keys create|bind|list|revoke</c>.</summary>
internal static class KeysVerbs
{
    public static Command Create(ServerVerbs verbs) =>
        new("keys", "Create, list and revoke API keys, and bind principals to the people responsible for them.")
        {
            Add(verbs),
            Bind(verbs),
            List(verbs),
            Revoke(verbs),
        };

    private static Verb Add(ServerVerbs verbs)
    {
        var subject = new Option<string>("--subject")
        {
            HelpName = "NAME",
            Required = true,
            Description = "Principal of the jobs that the key submits.",
        };
        var person = new Option<string?>("--person")
        {
            HelpName = "NAME",
            Description =
                "Person who uses the key or is responsible for it. Required for the role approver, "
                + "and for a subject whose jobs need an approval.",
        };
        var roles = new Option<string[]>("--role")
        {
            HelpName = "ROLE",
            Description = "Role of the key: producer, worker, worker:<pool>, operator, approver or admin; may be repeated.",
        };
        var groups = new Option<string[]>("--group") { HelpName = "GROUP", Description = "Group of the approver; may be repeated." };
        var verb = new Verb(
            "create",
            "Create an API key. It is printed once: the server stores only its hash.",
            "dispatcher keys create --subject billing --person bea --role producer",
            "dispatcher keys create --subject ada-laptop --person ada --role approver --group sre --json"
        )
        {
            subject,
            person,
            roles,
            groups,
        };

        return verbs.Add(
            verb,
            async (call, cancellationToken) =>
            {
                var arguments = call.Arguments;
                var body = JsonSerializer.SerializeToUtf8Bytes(
                    new
                    {
                        subject = arguments.GetRequiredValue(subject),
                        person = arguments.GetValue(person),
                        roles = arguments.GetValue(roles) ?? [],
                        groups = arguments.GetValue(groups) ?? [],
                    }
                );
                return call.Report(
                    await call.Api.CreateKeyAsync(body, cancellationToken),
                    key =>
                    {
                        call.Screen.Fields(
                            ("key id", key.Text("key_id")),
                            ("subject", key.Text("subject")),
                            ("person", key.Text("person")),
                            ("roles", key.Text("roles")),
                            ("groups", key.Text("groups")),
                            ("key", key.Text("key"))
                        );
                        call.Screen.Note("The key is shown only now. Store it in a secret store.");
                    }
                );
            }
        );
    }

    private static Verb Bind(ServerVerbs verbs)
    {
        var subject = new Option<string>("--subject")
        {
            HelpName = "NAME",
            Required = true,
            Description = "Principal: a broker user, or the subject of keys.",
        };
        var person = new Option<string>("--person")
        {
            HelpName = "NAME",
            Required = true,
            Description = "Person who uses the principal or is responsible for it. This person may not approve its jobs.",
        };
        var verb = new Verb(
            "bind",
            "Bind a principal to a responsible person, without an API key. A principal may have several. \"keys revoke\" ends a binding.",
            "dispatcher keys bind --subject svc-build --person ana"
        )
        {
            subject,
            person,
        };

        return verbs.Add(
            verb,
            async (call, cancellationToken) =>
            {
                var body = JsonSerializer.SerializeToUtf8Bytes(
                    new
                    {
                        subject = call.Arguments.GetRequiredValue(subject),
                        person = call.Arguments.GetRequiredValue(person),
                        roles = Array.Empty<string>(),
                    }
                );
                return call.Report(
                    await call.Api.CreateKeyAsync(body, cancellationToken),
                    binding =>
                        call.Screen.Fields(
                            ("key id", binding.Text("key_id")),
                            ("subject", binding.Text("subject")),
                            ("person", binding.Text("person"))
                        )
                );
            }
        );
    }

    private static Verb List(ServerVerbs verbs) =>
        verbs.Add(
            new Verb(
                "list",
                "List API keys and bindings (rows without roles). The keys themselves are never shown.",
                "dispatcher keys list",
                "dispatcher keys list --json"
            ),
            async (call, cancellationToken) =>
                call.Report(
                    await call.Api.KeysAsync(cancellationToken),
                    keys =>
                        call.Screen.Table(
                            ["key id", "subject", "person", "roles", "groups", "created", "revoked"],
                            keys.Items("items")
                                .Select(key =>
                                    new[]
                                    {
                                        key.Text("key_id"),
                                        key.Text("subject"),
                                        key.Text("person"),
                                        key.Text("roles"),
                                        key.Text("groups"),
                                        call.Screen.Age(key, "created_at"),
                                        call.Screen.Age(key, "revoked_at"),
                                    }
                                )
                        )
                )
        );

    private static Verb Revoke(ServerVerbs verbs)
    {
        var id = Identifiers.KeyId();
        var verb = new Verb(
            "revoke",
            "Revoke an API key or a binding. It stops working within 2 seconds, and its event streams end within 5.",
            "dispatcher keys revoke 0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10"
        )
        {
            id,
        };
        return verbs.Add(
            verb,
            async (call, cancellationToken) =>
            {
                var keyId = call.Arguments.GetRequiredValue(id);
                var answer = await call.Api.RevokeKeyAsync(keyId, cancellationToken);
                if (call.Json && answer.Status == 204)
                {
                    // The answer has no body; with --json the output is still one document.
                    call.Screen.Json(JsonSerializer.Serialize(new { key_id = keyId, revoked = true }));
                }

                return call.Report(answer, _ => call.Screen.Line($"key {keyId} is revoked"));
            }
        );
    }
}
