using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Schemas;

/// <summary>The compiled schema of a topic's payloads. Immutable, and safe for concurrent use.</summary>
internal sealed class PayloadSchema(JsonSchema root)
{
    /// <summary>The errors of a payload, see <see cref="PayloadCheck.Result"/>. Empty: the payload is valid.</summary>
    public IReadOnlyList<PayloadError> Check(ReadOnlyMemory<byte> payload)
    {
        PayloadCheck check = new();
        using var document = PayloadJson.Parse(payload);
        if (document is null)
        {
            check.Add(
                PayloadPath.Root,
                "text that is not JSON, has a member twice, or has more than 64 levels",
                "one JSON value, each member once",
                "correct it."
            );
        }
        else
        {
            root.Check(document.RootElement, PayloadPath.Root, check);
        }

        return check.Result();
    }

    /// <summary>The texts that the schema lists as the only values at a place. Empty: it lists none.</summary>
    /// <param name="names">The names of the members that lead to the place.</param>
    public IReadOnlyList<string> TextsAt(IEnumerable<string> names)
    {
        var schema = root;
        foreach (var name in names)
        {
            if (!schema.Shape().Members.TryGetValue(name, out var member))
            {
                return [];
            }

            schema = member;
        }

        return [.. schema.Shape().Values.Where(value => value.ValueKind == JsonValueKind.String).Select(value => value.GetString()!)];
    }

    /// <summary>The payload, completed with required members. Null: no valid payload was found.</summary>
    public ReadOnlyMemory<byte>? Complete(ReadOnlyMemory<byte> payload)
    {
        if (Check(payload).Count == 0)
        {
            return payload;
        }

        var completed = Sample.Complete(JsonNode.Parse(payload.Span), root)?.ToJsonString() ?? "null";
        ReadOnlyMemory<byte> bytes = Encoding.UTF8.GetBytes(completed);
        return Check(bytes).Count == 0 ? bytes : null;
    }
}
