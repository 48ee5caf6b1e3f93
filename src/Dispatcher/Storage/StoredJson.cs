using System.Text.Encodings.Web;
using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Policies.Model;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;

namespace Dispatcher.Storage;

/// <summary>Small structures kept as JSON text in one column, and how to write and read them.</summary>
internal static class StoredJson
{
    /// <summary>Shown in the place of a list that cannot be read.</summary>
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

    /// <summary>A text that is no list of texts is read as <see cref="Unreadable"/>: one row must not fail a query that reads many.</summary>
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

    /// <summary>Rows are read without tracking and written by statements, so that equality by reference is right.</summary>
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
