using System.Globalization;
using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.Contracts;

namespace Dispatcher.Recovery;

/// <summary>The outcomes of one message.</summary>
/// <param name="Outcomes">The outcomes to record. An unreadable outcome that names its run is replaced by a terminal fault.</param>
/// <param name="Refused">The outcomes that name no run.</param>
internal sealed record OutcomeReading(IReadOnlyList<AttemptOutcome> Outcomes, IReadOnlyList<RefusedOutcome> Refused);

/// <summary>An element of the message that cannot be read and names no run.</summary>
/// <param name="Body">Its bytes.</param>
/// <param name="Errors">Its errors. Empty when the elements before it have <see cref="InputErrors.Max"/> errors together.</param>
internal sealed record RefusedOutcome(ReadOnlyMemory<byte> Body, IReadOnlyList<InputError> Errors);

/// <summary>
/// Reads the body of an outcome message, each outcome separately: a worker packs outcomes of different jobs into one message, and an
/// unreadable one must not affect the others. Never throws on untrusted input.
/// </summary>
internal static class OutcomeReader
{
    /// <summary>Maximum number of outcomes in one message, as in the contract. Each costs a parse and a separate store update.</summary>
    public const int MaxOutcomes = 256;

    /// <summary>Maximum size of the body in bytes, as in the contract.</summary>
    public const int MaxBodyBytes = 1_048_576;

    private const string Fix = "Send an outcome batch as the contracts describe it.";

    /// <summary>
    /// Reads the outcomes and adds the errors of the message around them. Outcomes before and after invalid JSON are still read.
    /// </summary>
    /// <param name="body">The whole message.</param>
    /// <param name="now">Replaces the times that an unreadable outcome does not state.</param>
    /// <param name="errors">If not empty afterwards, the message itself must be refused.</param>
    public static OutcomeReading Read(ReadOnlyMemory<byte> body, DateTimeOffset now, List<InputError> errors)
    {
        if (body.Length > MaxBodyBytes)
        {
            errors.Report(
                "body_too_large",
                "body",
                $"The body has {body.Length:N0} bytes; at most {MaxBodyBytes:N0} are allowed.",
                "Send fewer outcomes in one message."
            );
            return new OutcomeReading([], []);
        }

        var (outcomes, refused, errorCount) = (new List<AttemptOutcome>(), new List<RefusedOutcome>(), 0);
        foreach (var (i, element) in Split(body, errors).Index())
        {
            // An outcome of a newer format is not guessed, but the run that it names is known to have ended.
            var isNewer = errors is [{ Code: NewerMessages.Code }];
            var wrong = new List<InputError>(isNewer ? errors : []);
            if (
                ((isNewer ? null : ReadOne(element, $"/outcomes/{i}", wrong)) ?? OutcomeIdentity.BadResult(element.Span, wrong[0], now)) is
                { } outcome
            )
            {
                outcomes.Add(outcome);
            }
            else
            {
                refused.Add(new RefusedOutcome(element, errorCount < InputErrors.Max ? wrong : []));
                errorCount += wrong.Count;
            }
        }

        return new OutcomeReading(outcomes, refused);
    }

    /// <summary>The bytes of each element of <c>outcomes</c>. Empty if the body is not an outcome batch.</summary>
    private static List<ReadOnlyMemory<byte>> Split(ReadOnlyMemory<byte> body, List<InputError> errors)
    {
        var elements = new List<ReadOnlyMemory<byte>>();
        var readTo = 0;

        // No limit on the depth here: an element that is too deep is refused separately. This reader needs no stack for depth.
        var json = new Utf8JsonReader(body.Span, new JsonReaderOptions { MaxDepth = int.MaxValue });
        try
        {
            var (wrong, version) = ReadEnvelope(ref json, body, elements, ref readTo);
            if (version > NewerMessages.Known)
            {
                NewerMessages.Report(errors, version.ToString(CultureInfo.InvariantCulture));
            }
            else if (wrong is not null)
            {
                errors.Report("bad_outcome", "body", wrong, Fix);
                return [];
            }
        }
        catch (Exception broken) when (broken is JsonException or InvalidOperationException)
        {
            // One element that is not JSON, such as NaN for a number, must not affect the next ones.
            if (readTo > 0 && SplitBroken(body, readTo, elements))
            {
                return elements;
            }

            var why = InputErrors.Cut(broken.Message, InputErrors.MaxWhere);
            errors.Report("invalid_json", "body", $"The body is not one JSON value: {why}", "Send one JSON object, each member once.");
        }

        return elements;
    }

    /// <summary>Returns the error of the object around the outcomes, or null, and the version of the format.</summary>
    private static (string? Wrong, int Version) ReadEnvelope(
        ref Utf8JsonReader json,
        ReadOnlyMemory<byte> body,
        List<ReadOnlyMemory<byte>> elements,
        ref int readTo
    )
    {
        if (!json.Read() || json.TokenType != JsonTokenType.StartObject)
        {
            return ("The body is not an object.", 0);
        }

        var (version, outcomes, unknown) = (0, false, false);
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            if (json.ValueTextEquals("v"u8) && version == 0)
            {
                if (!json.Read() || json.TokenType != JsonTokenType.Number || !json.TryGetInt32(out version))
                {
                    return ("\"v\" is not a whole number.", 0);
                }
            }
            else if (json.ValueTextEquals("outcomes"u8) && !outcomes)
            {
                outcomes = json.Read() && json.TokenType == JsonTokenType.StartArray;
                if (!outcomes)
                {
                    return ("\"outcomes\" is not an array.", version);
                }

                if (!ReadElements(ref json, body, elements, ref readTo))
                {
                    return ($"\"outcomes\" has more than {MaxOutcomes} elements; allowed are 1 to {MaxOutcomes}.", version);
                }
            }
            else
            {
                // Read on: "v" may follow, and a newer format may have other members.
                unknown = true;
                json.Skip();
            }
        }

        // Read to the end: content after the object is an error.
        json.Read();
        return (
            unknown ? "A member is unknown or occurs twice; allowed: v, outcomes, each once."
            : !outcomes ? "\"outcomes\" is missing."
            : elements.Count == 0 ? $"\"outcomes\" is empty; allowed are 1 to {MaxOutcomes} elements."
            : null,
            version
        );
    }

    /// <summary>False: there are more than <see cref="MaxOutcomes"/>; the rest is not read.</summary>
    private static bool ReadElements(
        ref Utf8JsonReader json,
        ReadOnlyMemory<byte> body,
        List<ReadOnlyMemory<byte>> elements,
        ref int readTo
    )
    {
        readTo = (int)json.BytesConsumed;
        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            if (elements.Count == MaxOutcomes)
            {
                return false;
            }

            var start = (int)json.TokenStartIndex;
            json.Skip();
            readTo = (int)json.BytesConsumed;
            elements.Add(body[start..readTo]);
        }

        readTo = 0;
        return true;
    }

    /// <summary>
    /// Adds the elements from the invalid JSON on, each cut where its brackets close. False: the array does not end, or has more than
    /// <see cref="MaxOutcomes"/> elements.
    /// </summary>
    private static bool SplitBroken(ReadOnlyMemory<byte> body, int from, List<ReadOnlyMemory<byte>> elements)
    {
        for (var at = from; at < body.Length && elements.Count < MaxOutcomes; )
        {
            var first = body.Span[at];
            if (first == ']')
            {
                return true;
            }

            if (first is (byte)',' or (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n')
            {
                at++;
                continue;
            }

            var end = EndOf(body.Span, at);
            elements.Add(body[at..end]);
            at = end;
        }

        return false;
    }

    /// <summary>The position at which the brackets of the element close, or the end of the body.</summary>
    private static int EndOf(ReadOnlySpan<byte> body, int start)
    {
        var (depth, isText) = (0, false);
        for (var i = start; i < body.Length; i++)
        {
            var c = body[i];
            if (isText)
            {
                isText = c != '"';
                i += c == '\\' ? 1 : 0;
            }
            else if (depth == 0 && (c == ',' || c == ']'))
            {
                return i;
            }
            else
            {
                isText = c == '"';
                depth +=
                    c is (byte)'{' or (byte)'[' ? 1
                    : c is (byte)'}' or (byte)']' ? -1
                    : 0;
                if (depth == 0 && c == '}')
                {
                    return i + 1;
                }
            }
        }

        return body.Length;
    }

    /// <summary>Null: the outcome is unreadable, and at least one error was added.</summary>
    private static AttemptOutcome? ReadOne(ReadOnlyMemory<byte> element, string where, List<InputError> errors)
    {
        // Checked before the parse: an exception for each number of a long array is expensive.
        if (element.Span[0] != (byte)'{')
        {
            errors.Report("bad_outcome", where, "The outcome is not an object.", "Send each outcome as the contracts describe it.");
            return null;
        }

        // A result may hold U+0000, because it is stored as bytes.
        using var strict = StrictJson.Parse(element, errors, nulAllowed: true);
        if (errors.Count > 0)
        {
            return null;
        }

        try
        {
            var outcome =
                JsonSerializer.Deserialize(element.Span, WireJson.Default.AttemptOutcome) ?? throw new JsonException("It is null.");
            if (outcome.Result is { } result && StrictJson.Depth(result) is var depth and > JsonLimits.DeepestValue)
            {
                errors.Report(
                    "result_too_deep",
                    where + "/result",
                    $"The result has {depth} levels; at most {JsonLimits.DeepestValue} are stored.",
                    "Return a flatter result."
                );
                return null;
            }

            return outcome;
        }
        catch (JsonException reason)
        {
            errors.Report(
                "bad_outcome",
                where,
                InputErrors.Cut(reason.Message, InputErrors.MaxWhere),
                "Send each outcome as the contracts describe it."
            );
            return null;
        }
    }
}
