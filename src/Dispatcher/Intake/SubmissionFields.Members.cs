using System.Text.Json;
using System.Text.RegularExpressions;
using Dispatcher.Base;
using Dispatcher.Policies.Texts;

namespace Dispatcher.Intake;

/// <summary>How a member is looked up and what is said when it is of the wrong kind.</summary>
internal sealed partial class SubmissionFields
{
    /// <inheritdoc cref="InputErrors.Cut"/>
    internal static string Cut(string seen) => InputErrors.Cut(seen);

    /// <summary>A member that is there; null stands for one that is not.</summary>
    private JsonElement? Member(string name) =>
        root.TryGetProperty(name, out var member) && member.ValueKind != JsonValueKind.Null ? member : null;

    private string? Text(string name, int longest) => Member(name) is { } member ? Text(member, "/" + name, longest) : null;

    private string? Text(JsonElement element, string where, int longest)
    {
        if (element.ValueKind != JsonValueKind.String)
        {
            Add("not_a_string", where, $"Seen: {Kind(element)}; allowed is a string.", "Put the value in quotes.");
            return null;
        }

        var text = element.GetString()!;
        if (Characters(text) is var length && length > longest)
        {
            Add("too_long", where, $"{length} characters; at most {longest} are taken.", "Shorten it.");
            return null;
        }

        return text;
    }

    /// <summary>Code points, as the schemas of payloads count: a character beyond the first 65,536 is one.</summary>
    private static int Characters(string text) => text.EnumerateRunes().Count();

    private JsonElement? Object(string name, string example)
    {
        if (Member(name) is not { } member || member.ValueKind == JsonValueKind.Object)
        {
            return Member(name);
        }

        Add("not_an_object", "/" + name, $"Seen: {Kind(member)}; allowed is an object.", $"For example {example}.");
        return null;
    }

    private void CheckMembers(JsonElement element, string pointer, string[] known)
    {
        foreach (
            var name in element
                .EnumerateObject()
                .Select(member => member.Name)
                .Where(name => !known.Contains(name, StringComparer.Ordinal))
                .TakeWhile(_ => !errors.IsFull())
        )
        {
            var meant = Nearest.To(Cut(name), known) is { } nearest ? $" Did you mean \"{nearest}\"?" : "";
            Add(
                "unknown_field",
                $"{pointer}/{Cut(StrictJson.Escape(name))}",
                "There is no such field." + meant,
                $"Allowed: {string.Join(", ", known)}."
            );
        }
    }

    private void Add(string code, string where, string message, string fix) => errors.Report(code, where, message, fix);

    private static string Kind(JsonElement element) =>
        element.ValueKind switch
        {
            JsonValueKind.Object => "an object",
            JsonValueKind.Array => $"an array of {element.GetArrayLength()}",
            JsonValueKind.String => "a string",
            JsonValueKind.Number => "a number",
            JsonValueKind.True or JsonValueKind.False => "a boolean",
            JsonValueKind.Null => "null",
            JsonValueKind.Undefined => "nothing",
        };

    [GeneratedRegex(@"^[a-z0-9_-]+(\.[a-z0-9_-]+){1,7}\z")]
    private static partial Regex TopicForm();

    [GeneratedRegex(@"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)\z")]
    private static partial Regex Rfc3339();
}
