using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Contracts;

namespace Dispatcher.Recovery;

/// <summary>The outcomes of one message.</summary>
/// <param name="Outcomes">Those to record: as they were sent, and for an unreadable one that names its run, a terminal fault in its
/// place.</param>
/// <param name="Refused">Those that do not even name their run, each with its bytes and errors.</param>
internal sealed record OutcomeReading(IReadOnlyList<AttemptOutcome> Outcomes, IReadOnlyList<RefusedOutcome> Refused);

/// <summary>An element of the message that is no outcome.</summary>
/// <param name="Body">Its bytes.</param>
/// <param name="Errors">What is wrong with it. Empty when the elements before it have <see cref="InputErrors.Max"/> errors together.</param>
internal sealed record RefusedOutcome(ReadOnlyMemory<byte> Body, IReadOnlyList<InputError> Errors);

/// <summary>
/// Reads the body of an outcome message, each outcome by itself: a worker packs outcomes of different jobs into one message, and one that
/// cannot be read must not take the others with it. Never throws on untrusted input.
/// </summary>
internal static class OutcomeReader
{
    /// <summary>Maximum number of outcomes in one message, as in the contract. Each costs a parse, and a store update of its own.</summary>
    public const int MostOutcomes = 256;

    /// <summary>Maximum size of the body in bytes, as in the contract.</summary>
    public const int LargestBody = 1_048_576;

    private const string Fix = "Send an outcome batch as the contracts describe it.";

    /// <summary>
    /// Adds an error for what is wrong with the message around the outcomes. The outcomes around a break of the JSON are read all the same.
    /// </summary>
    /// <param name="body">The whole message.</param>
    /// <param name="now">Stands for the times that an unreadable outcome does not tell.</param>
    /// <param name="errors">Not empty afterwards: the message itself is to be refused.</param>
    public static OutcomeReading Read(ReadOnlyMemory<byte> body, DateTimeOffset now, List<InputError> errors)
    {
        if (body.Length > LargestBody)
        {
            errors.Report(
                "body_too_large",
                "body",
                $"The body has {body.Length:N0} bytes; at most {LargestBody:N0} are allowed.",
                "Send fewer outcomes in one message."
            );
            return new OutcomeReading([], []);
        }

        var (outcomes, refused, kept) = (new List<AttemptOutcome>(), new List<RefusedOutcome>(), 0);
        foreach (var (i, element) in Split(body, errors).Index())
        {
            var wrong = new List<InputError>();
            if ((ReadOne(element, $"/outcomes/{i}", wrong) ?? OutcomeIdentity.BadResult(element.Span, wrong[0], now)) is { } outcome)
            {
                outcomes.Add(outcome);
            }
            else
            {
                refused.Add(new RefusedOutcome(element, kept < InputErrors.Max ? wrong : []));
                kept += wrong.Count;
            }
        }

        return new OutcomeReading(outcomes, refused);
    }

    /// <summary>The bytes of each element of <c>outcomes</c>. Empty for what is no batch at all.</summary>
    private static List<ReadOnlyMemory<byte>> Split(ReadOnlyMemory<byte> body, List<InputError> errors)
    {
        var elements = new List<ReadOnlyMemory<byte>>();
        var readTo = 0;

        // Without a limit on the depth: the element that is too deep is refused by itself. This reader takes no stack for it.
        var json = new Utf8JsonReader(body.Span, new JsonReaderOptions { MaxDepth = int.MaxValue });
        try
        {
            if (ReadEnvelope(ref json, body, elements, ref readTo) is { } wrong)
            {
                errors.Report("bad_outcome", "body", wrong, Fix);
                return [];
            }
        }
        catch (Exception broken) when (broken is JsonException or InvalidOperationException)
        {
            // One element that is no JSON, such as NaN for a number, must not take the next ones with it.
            if (readTo > 0 && SplitBroken(body, readTo, elements))
            {
                return elements;
            }

            var why = InputErrors.Cut(broken.Message, InputErrors.MaxWhere);
            errors.Report("invalid_json", "body", $"The body is not one JSON value: {why}", "Send one JSON object, each member once.");
        }

        return elements;
    }

    /// <summary>Null, or what is wrong with the object around the outcomes.</summary>
    private static string? ReadEnvelope(
        ref Utf8JsonReader json,
        ReadOnlyMemory<byte> body,
        List<ReadOnlyMemory<byte>> elements,
        ref int readTo
    )
    {
        if (!json.Read() || json.TokenType != JsonTokenType.StartObject)
        {
            return "The body is no object.";
        }

        var (version, outcomes) = (false, false);
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            if (json.ValueTextEquals("v"u8) && !version)
            {
                version = json.Read() && json.TokenType == JsonTokenType.Number && json.TryGetInt32(out _);
                if (!version)
                {
                    return "\"v\" is no whole number.";
                }
            }
            else if (json.ValueTextEquals("outcomes"u8) && !outcomes)
            {
                outcomes = json.Read() && json.TokenType == JsonTokenType.StartArray;
                if (!outcomes)
                {
                    return "\"outcomes\" is no array.";
                }

                if (!ReadElements(ref json, body, elements, ref readTo))
                {
                    return $"\"outcomes\" has more than {MostOutcomes} elements; allowed are 1 to {MostOutcomes}.";
                }
            }
            else
            {
                return "A member is unknown, or there twice; allowed: v, outcomes, each once.";
            }
        }

        // Reads to the end: more after the object is an error.
        json.Read();
        return !outcomes ? "\"outcomes\" is missing."
            : elements.Count == 0 ? $"\"outcomes\" is empty; allowed are 1 to {MostOutcomes} elements."
            : null;
    }

    /// <summary>False: there are more than <see cref="MostOutcomes"/>; the rest is not read.</summary>
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
            if (elements.Count == MostOutcomes)
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
    /// Adds the elements from a break of the JSON on, cut where their brackets close. False: the array does not end, or has more than
    /// <see cref="MostOutcomes"/> elements.
    /// </summary>
    private static bool SplitBroken(ReadOnlyMemory<byte> body, int from, List<ReadOnlyMemory<byte>> elements)
    {
        for (var at = from; at < body.Length && elements.Count < MostOutcomes; )
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

    /// <summary>Where the brackets of the element close, or the body ends.</summary>
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

    /// <summary>Null, with at least one error.</summary>
    private static AttemptOutcome? ReadOne(ReadOnlyMemory<byte> element, string where, List<InputError> errors)
    {
        // Checked before the parse: an exception for each number of a long array is expensive.
        if (element.Span[0] != (byte)'{')
        {
            errors.Report("bad_outcome", where, "It is no object.", "Send each outcome as the contracts describe it.");
            return null;
        }

        // A result may hold U+0000: it is kept as bytes.
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
