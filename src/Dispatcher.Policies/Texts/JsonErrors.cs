using System.Text.Json;

namespace Dispatcher.Policies.Texts;

/// <summary>States why a text is not JSON, in words for users: the runtime's message names options of its reader.</summary>
public static class JsonErrors
{
    /// <summary>One sentence without its full stop, for example <c>'}' is an invalid start of a value (line 3, byte 7)</c>.</summary>
    public static string Reason(JsonException error)
    {
        var reason = error.Message.Contains("open JSON object or array", StringComparison.Ordinal)
            ? "an object or list is not closed"
            : error
                .Message.Split(". ")[0]
                .TrimEnd('.')
                .Replace(" which is not supported in this mode", ", which JSON does not allow", StringComparison.Ordinal);
        return $"{Excerpt.Of(reason, 256)} (line {(error.LineNumber ?? 0) + 1}, byte {(error.BytePositionInLine ?? 0) + 1})";
    }
}
