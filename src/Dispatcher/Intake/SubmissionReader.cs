using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Microsoft.Extensions.Options;

namespace Dispatcher.Intake;

/// <summary>
/// Reads a raw submission into a job, or reports every error in it. Never throws on untrusted input. The <c>message</c> of a MassTransit
/// envelope is the job.
/// </summary>
internal sealed partial class SubmissionReader(IOptions<IntakeOptions> options)
{
    private const string EnvelopeType = "application/vnd.masstransit+json";

    /// <summary>The submission, or null with at least one error.</summary>
    // :: Step 1
    public Submission? Read(ReadOnlyMemory<byte> body, SubmissionSource source, List<InputError> errors)
    {
        CheckSource(source, errors);
        var length = source.Cut?.Length ?? body.Length;
        if (length > options.Value.MaxBodyBytes)
        {
            errors.Add(TooLarge(length.ToString("N0", CultureInfo.InvariantCulture), options.Value.MaxBodyBytes));
            return null;
        }

        var before = errors.Count;
        using var document = StrictJson.Parse(body, errors, format: new BodyFormat(source.ContentType, source.ContentEncoding));
        if (document is null || errors.Count > before)
        {
            return null;
        }

        var fields = new SubmissionFields(JobElement(document.RootElement, source), options.Value, errors);
        var job = fields.Read(source);
        if (errors.Count > 0 || job is null)
        {
            return null;
        }

        job = job with { ReplyTo = source.AllowedReplyTo, CorrelationId = source.CorrelationId, TraceParent = Trace(source) };
        return Submission.Of(job, source);
    }

    /// <param name="bytes">The size of the body, for example <c>more than 1,024</c>.</param>
    /// <param name="max">The limit in bytes.</param>
    public static InputError TooLarge(string bytes, int max) =>
        new()
        {
            Code = "body_too_large",
            Where = "body",
            Message = string.Create(CultureInfo.InvariantCulture, $"The body has {bytes} bytes; at most {max:N0} are read."),
            Fix = "Put large content into an object store and send its address.",
        };

    private static JsonElement JobElement(JsonElement root, SubmissionSource source) =>
        source.Channel == "amqp"
        && source.ContentType?.StartsWith(EnvelopeType, StringComparison.OrdinalIgnoreCase) == true
        && root.ValueKind == JsonValueKind.Object
        && root.TryGetProperty("message", out var message)
            ? message
            : root;

    /// <summary>An invalid trace context is ignored, as W3C Trace Context requires: it must not cause a refusal.</summary>
    private static string? Trace(SubmissionSource source) =>
        ActivityContext.TryParse(source.TraceParent, null, out _) ? source.TraceParent : null;

    private static void CheckSource(SubmissionSource source, List<InputError> errors)
    {
        if (source.IsRejected)
        {
            errors.Report(
                "rejected",
                "amqp:x-death",
                "A client took the message from the intake queue and rejected it.",
                "Publish it again if the job should run."
            );
        }

        if (source.Principal is null)
        {
            errors.Add(
                new InputError
                {
                    Code = "no_principal",
                    Where = "amqp:user_id",
                    Message = "The message does not name its sender.",
                    Fix = "Set the AMQP property user_id to the name of the broker user you are connected as; the broker checks it.",
                }
            );
        }
        else if (!PrincipalName.IsValid(source.Principal))
        {
            errors.Add(
                new InputError
                {
                    Code = "bad_principal",
                    Where = "amqp:user_id",
                    Message =
                        $"\"{InputErrors.Cut(source.Principal)}\" cannot be a principal; allowed are 1 to 64 characters "
                        + "of a-z, 0-9, _ and -.",
                    Fix = "Connect as a broker user with such a name.",
                }
            );
        }

        CheckReplyTo(source, errors);

        // AMQP allows this character; the text type of PostgreSQL does not.
        foreach (
            var (name, value) in new[]
            {
                ("message_id", source.MessageId),
                ("correlation_id", source.CorrelationId),
                ("reply_to", source.ReplyTo),
            }
        )
        {
            if (value?.Contains('\0', StringComparison.Ordinal) == true)
            {
                errors.Add(
                    new InputError
                    {
                        Code = "nul_character",
                        Where = "amqp:" + name,
                        Message = "The text has the character U+0000.",
                        Fix = "Leave it out.",
                    }
                );
            }
        }
    }

    /// <summary>A reply address that the server may not use is an error: otherwise the producer would wait for an answer in vain.</summary>
    private static void CheckReplyTo(SubmissionSource source, List<InputError> errors)
    {
        if (source is { ReplyTo.Length: > 0, Principal: not null, AllowedReplyTo: null })
        {
            errors.Add(
                new InputError
                {
                    Code = "bad_reply_to",
                    Where = "amqp:reply_to",
                    Message = $"\"{InputErrors.Cut(source.ReplyTo)}\" is not a reply queue of {InputErrors.Cut(source.Principal)}.",
                    Fix =
                        $"Use amq.rabbitmq.reply-to, or a queue whose name begins with \"reply.{InputErrors.Cut(source.Principal)}.\"; "
                        + "leave reply_to out if no answer is needed.",
                }
            );
        }
    }
}
