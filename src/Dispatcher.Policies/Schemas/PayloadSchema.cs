using System.Text;
using System.Text.Json.Nodes;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Schemas;

/// <summary>What the payloads of a topic must be. Never changes; any number of threads may use it.</summary>
internal sealed class PayloadSchema(JsonSchema root)
{
    /// <summary>Why a payload does not fit, see <see cref="PayloadCheck.Result"/>. Empty: it fits.</summary>
    public IReadOnlyList<PayloadError> Check(ReadOnlyMemory<byte> payload)
    {
        PayloadCheck check = new();
        using var document = PayloadJson.Parse(payload);
        if (document is null)
        {
            check.Add(
                PayloadPath.Root,
                "no JSON, or a member twice, or more than 64 levels",
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

    /// <summary>The payload with what the schema requires besides. Null: that could not be made.</summary>
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
