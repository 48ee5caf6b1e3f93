using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Policies.Texts;

namespace Dispatcher.Intake;

/// <summary>The members of one JSON object of a submission: reads them by name and reports those of the wrong kind.</summary>
/// <param name="root">A JSON object.</param>
/// <param name="errors">Gets every error.</param>
internal sealed class JsonMembers(JsonElement root, List<InputError> errors)
{
    /// <summary>Null: the object has no such member, or it is null.</summary>
    public JsonElement? Member(string name) =>
        root.TryGetProperty(name, out var member) && member.ValueKind != JsonValueKind.Null ? member : null;

    /// <summary>Null: there is no such member, or it was reported.</summary>
    public string? Text(string name, int max) => Member(name) is { } member ? Text(member, "/" + name, max) : null;

    /// <summary>Null: it was reported.</summary>
    public string? Text(JsonElement element, string where, int max)
    {
        if (element.ValueKind != JsonValueKind.String)
        {
            errors.Report("not_a_string", where, $"Seen: {Kind(element)}; allowed is a string.", "Put the value in quotes.");
            return null;
        }

        var text = element.GetString()!;
        if (Characters(text) is var length && length > max)
        {
            errors.Report("too_long", where, $"{length} characters; at most {max} are allowed.", "Shorten it.");
            return null;
        }

        return text;
    }

    /// <summary>The length in code points, as payload schemas count it: a surrogate pair is one character.</summary>
    public static int Characters(string text) => text.EnumerateRunes().Count();

    /// <summary>Null: there is no such member, or it was reported.</summary>
    public JsonElement? Object(string name, string example)
    {
        if (Member(name) is not { } member || member.ValueKind == JsonValueKind.Object)
        {
            return Member(name);
        }

        errors.Report("not_an_object", "/" + name, $"Seen: {Kind(member)}; allowed is an object.", $"For example {example}.");
        return null;
    }

    /// <summary>Reports members that are not <paramref name="known"/>.</summary>
    public void CheckNames(JsonElement element, string pointer, string[] known)
    {
        foreach (
            var name in element
                .EnumerateObject()
                .Select(member => member.Name)
                .Where(name => !known.Contains(name, StringComparer.Ordinal))
                .TakeWhile(_ => !errors.IsFull())
        )
        {
            var meant = Nearest.To(InputErrors.Cut(name), known) is { } nearest ? $" Did you mean \"{nearest}\"?" : "";
            errors.Report(
                "unknown_field",
                $"{pointer}/{InputErrors.Cut(StrictJson.Escape(name))}",
                "There is no such field." + meant,
                $"Allowed: {string.Join(", ", known)}."
            );
        }
    }

    /// <summary>The JSON kind in words, for error texts.</summary>
    public static string Kind(JsonElement element) =>
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
}
