using System.Text.Encodings.Web;
using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Policies.Model;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;

namespace Dispatcher.Storage;

/// <summary>Writes and reads small structures that are stored as JSON text in one column.</summary>
internal static class StoredJson
{
    /// <summary>Replaces a list that cannot be read.</summary>
    public const string Unreadable = "(unreadable)";

    private static readonly JsonSerializerOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static readonly ValueConverter<IReadOnlyDictionary<string, string>, string> Labels = new(
        value => Write(value),
        text => Read<Dictionary<string, string>>(text)
    );

    public static readonly ValueConverter<IReadOnlyList<string>, string> Strings = new(
        value => Write(value),
        text => Read<List<string>>(text)
    );

    /// <summary>Reads a text that is not a list of texts as <see cref="Unreadable"/>: one bad row must not fail a query.</summary>
    public static readonly ValueConverter<IReadOnlyList<string>, string> StringsOrUnreadable = new(
        value => Write(value),
        text => ReadOrUnreadable(text)
    );

    public static readonly ValueConverter<IReadOnlyList<InputError>, string> Errors = new(
        value => Write(value),
        text => Read<List<InputError>>(text)
    );

    public static readonly ValueConverter<ApprovalRequirement, string> Requirement = new(
        value => Write(value),
        text => Read<ApprovalRequirement>(text)
    );

    public static readonly ValueConverter<IReadOnlyList<Vote>, string> Votes = new(value => Write(value), text => Read<List<Vote>>(text));

    public static readonly ValueConverter<Constraints?, string?> Constraints = new(
        value => value == null ? null : Write(value),
        text => text == null ? null : Read<Constraints>(text)
    );

    public static readonly ValueConverter<Fault?, string?> Fault = new(
        value => value == null ? null : Write(value),
        text => text == null ? null : Read<Fault>(text)
    );

    /// <summary>Compares by reference: rows are read without tracking and written by statements.</summary>
    public static ValueComparer<T> ByReference<T>()
        where T : class => new((left, right) => ReferenceEquals(left, right), value => value.GetHashCode());

    public static string Write<T>(T value) => JsonSerializer.Serialize(value, Options);

    private static List<string> ReadOrUnreadable(string text)
    {
        try
        {
            return Read<List<string>?>(text) is { } list && !list.Exists(item => item is null) ? list : [Unreadable];
        }
        catch (JsonException)
        {
            return [Unreadable];
        }
    }

    private static T Read<T>(string text) => JsonSerializer.Deserialize<T>(text, Options)!;
}
