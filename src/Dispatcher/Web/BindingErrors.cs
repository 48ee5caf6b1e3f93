using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.Contracts;
using Dispatcher.Policies.Texts;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Metadata;

namespace Dispatcher.Web;

/// <summary>
/// Describes a request that the framework could not read. The messages of the framework name .NET types and members, so they only serve to
/// classify the mistake; an unknown message gets a general description.
/// </summary>
internal static partial class BindingErrors
{
    private const string General = "Send JSON as /openapi/v1.json describes it, with Content-Type: application/json.";

    public static InputError Error(BadHttpRequestException bad, HttpContext http) =>
        bad switch
        {
            { InnerException: JsonException json } => OfJson(json, http),
            { StatusCode: StatusCodes.Status413PayloadTooLarge } => OfSize(http),
            { StatusCode: StatusCodes.Status415UnsupportedMediaType } => OfType(http),
            _ => OfBinding(bad.Message, http),
        };

    /// <summary>The content type is not one that the endpoint reads.</summary>
    public static InputError OfType(HttpContext http) =>
        Of(
            "Content-Type",
            $"Seen: {(http.Request.ContentType is { } type ? $"\"{InputErrors.Cut(type)}\"" : "none")}; allowed: application/json.",
            "Send a JSON object with Content-Type: application/json."
        );

    /// <summary>The body is larger than the limit of the endpoint.</summary>
    public static InputError OfSize(HttpContext http)
    {
        var max = http.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize ?? RawMessage.MaxBody;
        var seen =
            http.Request.ContentLength is { } length && length > max
                ? length.ToString("N0", CultureInfo.InvariantCulture)
                : $"more than {max.ToString("N0", CultureInfo.InvariantCulture)}";
        return Of(
            "body",
            string.Create(CultureInfo.InvariantCulture, $"The body has {seen} bytes; allowed: at most {max:N0}."),
            "Send a smaller body."
        );
    }

    private static InputError OfBinding(string message, HttpContext http)
    {
        if (Parameter().Match(message) is { Success: true } parameter)
        {
            return Of(
                "?" + parameter.Groups["name"].Value,
                $"Seen: \"{InputErrors.Cut(parameter.Groups["seen"].Value)}\"; allowed: {Kind(parameter.Groups["type"].Value)}.",
                "Send such a value, or remove the parameter."
            );
        }

        var isBody = message.Contains("body", StringComparison.OrdinalIgnoreCase);
        return isBody
            ? Of("body", $"The body is empty or null; allowed: a JSON object with {Allowed(http)}.", General)
            : Of("request", "The request cannot be read; /openapi/v1.json describes what is allowed.", General);
    }

    private static InputError OfJson(JsonException json, HttpContext http)
    {
        var where = json.Path is { Length: > 1 } path
            ? InputErrors.Cut(path.Replace('.', '/').TrimStart('$'), InputErrors.MaxWhere)
            : "body";
        if (Unmapped().Match(json.Message) is { Success: true } unmapped)
        {
            var name = unmapped.Groups["name"].Value;
            var known = Below(where).Contains('/') ? [] : Members(http);
            var nearest = Nearest.To(InputErrors.Cut(name), known);
            return Of(
                where,
                $"\"{InputErrors.Cut(name)}\" is not known{(known.Length == 0 ? "" : $"; allowed: {string.Join(", ", known)}")}.",
                nearest is null ? "Remove it. " + General : $"Did you mean \"{nearest}\"?"
            );
        }

        if (Missing().Match(json.Message) is { Success: true } missing)
        {
            return Of(
                where,
                $"Missing: {missing.Groups["names"].Value.Replace("'", "\"", StringComparison.Ordinal)}; required.",
                "Add it."
            );
        }

        if (Converted().Match(json.Message) is { Success: true } converted)
        {
            var allowed = where == "body" ? $"a JSON object with {Allowed(http)}" : Kind(converted.Groups["type"].Value);
            return Of(where, $"The value has another type; allowed: {allowed}.", "Send such a value.");
        }

        if (IsSyntax(json) && http.Request.Headers.ContentEncoding is { Count: > 0 } encoding)
        {
            return Of(
                "body",
                $"The body has the content encoding \"{InputErrors.Cut(encoding.ToString())}\"; compressed bodies are not read.",
                "Send it as plain JSON, without Content-Encoding."
            );
        }

        return Of(where, IsSyntax(json) ? $"The body is not JSON: {JsonErrors.Reason(json)}." : "The value cannot be read.", General);
    }

    /// <summary>True: the JSON reader threw, not a converter.</summary>
    private static bool IsSyntax(JsonException json) => json.InnerException is JsonException || json.GetType() != typeof(JsonException);

    private static string Below(string where) => where.TrimStart('/');

    private static InputError Of(string where, string message, string fix) =>
        new()
        {
            Code = "unreadable",
            Where = where,
            Message = message,
            Fix = fix,
        };

    private static string Allowed(HttpContext http) =>
        Members(http) is { Length: > 0 } members ? string.Join(", ", members) : "what /openapi/v1.json describes";

    /// <summary>The JSON names of the body's members.</summary>
    private static string[] Members(HttpContext http) =>
        [
            .. (Endpoint(http)?.Metadata.GetMetadata<IAcceptsMetadata>()?.RequestType?.GetProperties() ?? [])
                .Select(member => member.GetCustomAttribute<JsonPropertyNameAttribute>()?.Name)
                .OfType<string>(),
        ];

    /// <summary>The endpoint of the request; the exception handler removes it from the context.</summary>
    private static Endpoint? Endpoint(HttpContext http) => http.Features.Get<IExceptionHandlerFeature>()?.Endpoint ?? http.GetEndpoint();

    private static string Kind(string type)
    {
        (string Part, string Words)[] kinds =
        [
            ("Guid", "a UUID such as 0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10"),
            ("Int", "a whole number"),
            ("int", "a whole number"),
            ("long", "a whole number"),
            ("String", "a text"),
            ("string", "a text"),
            ("Bool", "true or false"),
            ("bool", "true or false"),
            ("Date", "a time such as 2026-01-31T18:00:00Z"),
            ("Byte[]", "a text in base64"),
            ("List", "a list"),
        ];
        return Array.Find(kinds, kind => type.Contains(kind.Part, StringComparison.Ordinal)).Words ?? "an object";
    }

    [GeneratedRegex("^Failed to bind parameter \"(?<type>\\S+) (?<name>\\w+)\" from \"(?<seen>.*)\"")]
    private static partial Regex Parameter();

    [GeneratedRegex("^The JSON property '(?<name>.*)' could not be mapped")]
    private static partial Regex Unmapped();

    [GeneratedRegex("missing required properties including: (?<names>('[^']*'(, )?)+)")]
    private static partial Regex Missing();

    [GeneratedRegex("could not be converted to (?<type>\\S+?)\\. Path")]
    private static partial Regex Converted();
}
