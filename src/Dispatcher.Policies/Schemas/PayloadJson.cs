using System.Text.Json;

namespace Dispatcher.Policies.Schemas;

/// <summary>Parses a payload.</summary>
internal static class PayloadJson
{
    // A duplicate key could have one value here and another for the worker, so such a payload is refused.
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    /// <summary>The payload. Null: it is not valid JSON.</summary>
    public static JsonDocument? Parse(ReadOnlyMemory<byte> payload)
    {
        try
        {
            return JsonDocument.Parse(payload, Strict);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
