using System.CommandLine;
using System.Text.Json;

namespace Dispatcher.CommandLine;

/// <summary><c>dispatcher keys create|list|revoke</c>.</summary>
internal static class KeysVerbs
{
    public static Command Create(ServerVerbs verbs) => new("keys", "Make, list and revoke API keys.")
    {
        Add(verbs),
        List(verbs),
        Revoke(verbs),
    };

    private static Verb Add(ServerVerbs verbs)
    {
        var subject = new Option<string>("--subject") { HelpName = "NAME", Required = true, Description = "Who acts with the key: the principal of its jobs." };
        var person = new Option<string?>("--person") { HelpName = "NAME", Description = "The person behind it; needed to approve." };
        var roles = new Option<string[]>("--role") { HelpName = "ROLE", Description = "What the key may do; may be repeated." };
        var groups = new Option<string[]>("--group") { HelpName = "GROUP", Description = "A group that it belongs to; may be repeated." };
        var verb = new Verb("create", "Make an API key. It is shown once: the server keeps only a hash.",
            "dispatcher keys create --subject billing --role producer",
            "dispatcher keys create --subject ada-laptop --person ada --role approver --group sre --json")
        { subject, person, roles, groups };

        return verbs.Add(verb, async (call, cancellationToken) =>
        {
            var arguments = call.Arguments;
            var body = JsonSerializer.SerializeToUtf8Bytes(new
            {
                subject = arguments.GetRequiredValue(subject),
                person = arguments.GetValue(person),
                roles = arguments.GetValue(roles) ?? [],
                groups = arguments.GetValue(groups) ?? [],
            });
            return call.Report(await call.Api.CreateKeyAsync(body, cancellationToken), key =>
            {
                call.Screen.Fields(
                    ("key id", key.Text("key_id")), ("subject", key.Text("subject")), ("person", key.Text("person")),
                    ("roles", key.Text("roles")), ("groups", key.Text("groups")), ("key", key.Text("key")));
                call.Screen.Note("The key is shown only now. Store it where secrets are kept.");
            });
        });
    }

    private static Verb List(ServerVerbs verbs) =>
        verbs.Add(new Verb("list", "List API keys; never the keys themselves.", "dispatcher keys list", "dispatcher keys list --json"), async (call, cancellationToken) =>
            call.Report(await call.Api.KeysAsync(cancellationToken), keys =>
                call.Screen.Table(["key id", "subject", "person", "roles", "groups", "created", "revoked"], keys.Items("items").Select(key => new[]
                {
                    key.Text("key_id"), key.Text("subject"), key.Text("person"), key.Text("roles"), key.Text("groups"),
                    call.Screen.Time(key, "created_at"), call.Screen.Time(key, "revoked_at"),
                }))));

    private static Verb Revoke(ServerVerbs verbs)
    {
        var id = Identifiers.KeyId();
        var verb = new Verb("revoke", "Revoke an API key: it stops working at once.", "dispatcher keys revoke 0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10") { id };
        return verbs.Add(verb, async (call, cancellationToken) =>
        {
            var keyId = call.Arguments.GetRequiredValue(id);
            var answer = await call.Api.RevokeKeyAsync(keyId, cancellationToken);
            if (call.Json && answer.Status == 204)
            {
                // The server has no document for this; a reader of --json still gets one.
                call.Screen.Json(JsonSerializer.Serialize(new { key_id = keyId, revoked = true }));
            }

            return call.Report(answer, _ => call.Screen.Line($"key {keyId} is revoked"));
        });
    }
}
