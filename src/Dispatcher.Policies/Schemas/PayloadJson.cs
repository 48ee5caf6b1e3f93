using System.Text.Json;

namespace Dispatcher.Policies.Schemas;

/// <summary>Parses a payload.</summary>
internal static class PayloadJson
{
    // A key twice could mean one thing here and another to the worker, so such a payload has no value at all.
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    /// <summary>The payload, or null when it is no JSON.</summary>
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
