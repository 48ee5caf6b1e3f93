using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.CommandLine.Screens;
using Dispatcher.Contracts;
using Dispatcher.Policies.Texts;

namespace Dispatcher.CommandLine;

/// <summary>The options that make up a <see cref="SubmitJob"/>, and the bytes they become.</summary>
internal sealed class SubmitOptions
{
    private readonly Option<string?> _file = new("--file")
    {
        HelpName = "FILE|-",
        Description = "A whole job as JSON, sent byte for byte; '-' is standard input. Cannot be combined with other job options.",
    };
    private readonly Option<string?> _topic = new("--topic")
    {
        HelpName = "TOPIC",
        Description = "The kind of work, for example job.exec.shell.",
    };
    private readonly Option<string[]> _labels = new("--label")
    {
        HelpName = "KEY=VALUE",
        Description = "Label for the policy; may be repeated.",
    };
    private readonly Option<string[]> _riskTags = new("--risk-tag")
    {
        HelpName = "TAG",
        Description = "Risk tag of the job; may be repeated.",
    };
    private readonly Option<string?> _payload = new("--payload")
    {
        HelpName = "JSON|@FILE|-",
        Description = "Input of the worker, kept byte for byte: JSON, a file, or standard input. Default {}.",
    };
    private readonly Option<Guid?> _jobId = new("--job-id")
    {
        HelpName = "UUID",
        Description = "Id of the job. A repeated submission of the same job gets the first answer again.",
        CustomParser = Identifiers.OptionalUuid("--job-id"),
    };
    private readonly Option<string?> _idempotencyKey = new("--idempotency-key")
    {
        HelpName = "KEY",
        Description = "Your own key for the job; each key belongs to one job.",
    };
    private readonly Option<string?> _workflowId = new("--workflow-id")
    {
        HelpName = "ID",
        Description = "Id of the workflow that the job belongs to.",
    };
    private readonly Option<string?> _notAfter = new("--not-after")
    {
        HelpName = "TIME",
        Description = "Time by which the job must start, for example 2026-01-31T18:00:00Z.",
    };

    public void AddTo(Command command)
    {
        Option[] ofJob = [_topic, _labels, _riskTags, _payload, _jobId, _idempotencyKey, _workflowId, _notAfter];
        foreach (var option in ofJob)
        {
            command.Add(option);
        }

        command.Add(_file);
        // All checks in one validator: an error of the command would hide the errors of its options.
        command.Validators.Add(result =>
        {
            CheckLabels(result.GetResult(_labels));
            CheckTime(result.GetResult(_notAfter), "--not-after");
            var given = ofJob.Where(option => result.GetResult(option) is not null).Select(option => option.Name).ToList();
            if (result.GetResult(_file) is not null && given.Count > 0)
            {
                result.AddError($"--file contains the whole job: remove {string.Join(", ", given)}, or remove --file.");
            }
            else if (result.GetResult(_file) is null && result.GetResult(_topic) is null)
            {
                result.AddError("The topic is missing: give --topic, or --file with the whole job.");
            }
        });
    }

    /// <summary>The body of the request. The bytes of the payload stay unchanged: the server hashes and stores them exactly.</summary>
    public byte[] Body(ParseResult arguments, Terminal terminal)
    {
        if (arguments.GetValue(_file) is { } file)
        {
            return CheckJson(file == "-" ? LocalInput.StandardInput(terminal, "--file") : LocalInput.File(file, "--file"), "--file");
        }

        using var body = new MemoryStream();
        // Relaxed: the body is never part of an HTML page, and unescaped values are easier to find in a trace.
        using var json = new Utf8JsonWriter(body, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteString("topic", arguments.GetValue(_topic));
        WriteList(json, arguments);
        json.WritePropertyName("payload");
        json.WriteRawValue(Payload(arguments, terminal), skipInputValidation: true);
        WriteOptional(json, "job_id", arguments.GetValue(_jobId)?.ToString());
        WriteOptional(json, "idempotency_key", arguments.GetValue(_idempotencyKey));
        WriteOptional(json, "workflow_id", arguments.GetValue(_workflowId));
        WriteOptional(json, "not_after", arguments.GetValue(_notAfter));
        json.WriteEndObject();
        json.Flush();
        return body.ToArray();
    }

    private void WriteList(Utf8JsonWriter json, ParseResult arguments)
    {
        json.WriteStartObject("labels");
        foreach (var (key, value) in (arguments.GetValue(_labels) ?? []).Select(Split))
        {
            json.WriteString(key, value);
        }

        json.WriteEndObject();
        json.WriteStartArray("risk_tags");
        foreach (var tag in arguments.GetValue(_riskTags) ?? [])
        {
            json.WriteStringValue(tag);
        }

        json.WriteEndArray();
    }

    private static void WriteOptional(Utf8JsonWriter json, string name, string? value)
    {
        if (value is not null)
        {
            json.WriteString(name, value);
        }
    }

    private byte[] Payload(ParseResult arguments, Terminal terminal) =>
        CheckJson(
            arguments.GetValue(_payload) switch
            {
                null => "{}"u8.ToArray(),
                "-" => LocalInput.StandardInput(terminal, "--payload"),
                ['@', .. var path] => LocalInput.File(path, "--payload"),
                var text => Encoding.UTF8.GetBytes(text),
            },
            "--payload"
        );

    private static byte[] CheckJson(byte[] bytes, string where)
    {
        try
        {
            using var document = JsonDocument.Parse(bytes);
            return bytes;
        }
        catch (JsonException broken)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"{where} is not JSON: {JsonErrors.Reason(broken)}.",
                "Quote JSON for the shell ('{\"a\": 1}'), or name a file (@file) or standard input (-)."
            );
        }
    }

    private static (string Key, string Value) Split(string label)
    {
        var at = label.IndexOf('=', StringComparison.Ordinal);
        return (label[..at], label[(at + 1)..]);
    }

    private static void CheckLabels(OptionResult? result)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var label in (result?.Tokens ?? []).Select(token => token.Value))
        {
            if (label.IndexOf('=', StringComparison.Ordinal) < 1)
            {
                result!.AddError($"--label '{label}' is not a key and a value: write KEY=VALUE, for example --label env=dev.");
            }
            else if (!seen.Add(Split(label).Key))
            {
                result!.AddError($"--label '{Split(label).Key}' is given more than once: a label has one value.");
            }
        }
    }

    public static void CheckTime(OptionResult? result, string option)
    {
        if (result is not { Tokens: [var token] })
        {
            return;
        }

        // Without an offset, client and server could read different times.
        var text = token.Value;
        string[] shapes = ["yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK"];
        if (
            !DateTimeOffset.TryParseExact(text, shapes, CultureInfo.InvariantCulture, DateTimeStyles.None, out _)
            || !(text.EndsWith('Z') || text.LastIndexOfAny(['+', '-']) > 10)
        )
        {
            result.AddError($"{option} '{text}' is not an RFC 3339 time with an offset: write for example 2026-01-31T18:00:00Z.");
        }
    }
}
