using System.CommandLine;
using System.Text.Json;

namespace Dispatcher.CommandLine;

/// <summary><c>dispatcher keys create|bind|list|revoke</c>.</summary>
internal static class KeysVerbs
{
    public static Command Create(ServerVerbs verbs) =>
        new("keys", "Make, list and revoke API keys, and name who is responsible for a principal.")
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
            Description = "Who acts with the key: the principal of its jobs.",
        };
        var person = new Option<string?>("--person")
        {
            HelpName = "NAME",
            Description =
                "The person who uses it or is responsible for it. A key with the role approver needs one, "
                + "and so do jobs of the subject that need an approval.",
        };
        var roles = new Option<string[]>("--role") { HelpName = "ROLE", Description = "What the key may do; may be repeated." };
        var groups = new Option<string[]>("--group") { HelpName = "GROUP", Description = "A group that it belongs to; may be repeated." };
        var verb = new Verb(
            "create",
            "Make an API key. It is shown once: the server keeps only a hash.",
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
                        call.Screen.Note("The key is shown only now. Store it where secrets are kept.");
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
            Description = "The principal: a broker user, or the subject of keys.",
        };
        var person = new Option<string>("--person")
        {
            HelpName = "NAME",
            Required = true,
            Description = "The person who uses it or is responsible for it. May not approve its jobs.",
        };
        var verb = new Verb(
            "bind",
            "Name a person who is responsible for a principal, without making a key. A principal may have several. \"keys revoke\" ends it.",
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
                "List API keys and bindings (without roles); never the keys themselves.",
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
                    // The server has no document for this; a reader of --json still gets one.
                    call.Screen.Json(JsonSerializer.Serialize(new { key_id = keyId, revoked = true }));
                }

                return call.Report(answer, _ => call.Screen.Line($"key {keyId} is revoked"));
            }
        );
    }
}
