using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.RegularExpressions;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;

namespace Dispatcher.Intake;

/// <summary>The fields of one submission, each checked against the limits. Reports every error, not only the first.</summary>
internal sealed partial class SubmissionFields(JsonElement root, IntakeOptions limits, List<InputError> errors)
{
    private const int MaxTopic = 128;
    private const int MaxKey = 128;
    private const int MaxTags = 32;
    private const int MaxTag = 64;

    private readonly JsonMembers _members = new(root, errors);

    /// <summary>Prefixes of labels that no producer may set: a rule that tests such a label must be able to trust it.</summary>
    private static readonly string[] Reserved = ["sys.", "approval.", "approval_"];

    private static readonly string[] Known =
    [
        "v",
        "job_id",
        "topic",
        "labels",
        "risk_tags",
        "payload",
        "idempotency_key",
        "workflow_id",
        "estimated_cost",
        "not_after",
    ];

    /// <summary>Null: there is at least one error.</summary>
    public Job? Read(SubmissionSource source)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            errors.Report(
                "not_an_object",
                "body",
                $"A job is a JSON object; seen: {JsonMembers.Kind(root)}.",
                "Send an object with at least \"topic\"."
            );
            return null;
        }

        if (!SubmissionVersion.IsReadable(_members, errors))
        {
            return null;
        }

        _members.CheckNames(root, "", Known);
        var topic = Topic(source);
        var labels = Labels();
        var tags = RiskTags();
        var payload = Payload();
        var key = _members.Text("idempotency_key", MaxKey);
        var cost = Cost();
        var job = new Job
        {
            JobId = SubmissionIdentity.Read(_members, source, key, errors),
            Principal = source.Principal ?? "",
            Topic = topic,
            Labels = labels,
            RiskTags = tags,
            Payload = payload,
            IdempotencyKey = key,
            WorkflowId = _members.Text("workflow_id", MaxKey),
            CostTokens = cost?.Tokens,
            CostUsdMicros = cost?.UsdMicros,
            NotAfter = NotAfter(),
        };
        return errors.Count == 0 ? job : null;
    }

    private string Topic(SubmissionSource source)
    {
        var topic = _members.Text("topic", MaxTopic);
        if (_members.Member("topic") is null)
        {
            errors.Report("missing_topic", "/topic", "Every job has a topic.", "Add \"topic\", for example \"job.repo.read\".");
        }
        else if (topic is not null && !TopicForm().IsMatch(topic))
        {
            errors.Report(
                "bad_topic",
                "/topic",
                $"\"{InputErrors.Cut(topic)}\" is not a topic; allowed are 2 to 8 segments of a-z, 0-9, _ and -, joined by dots.",
                "Use the topic as topics.yaml has it."
            );
        }
        else if (topic is not null && source.RoutingKey is not null && source.RoutingKey != topic)
        {
            errors.Report(
                "topic_mismatch",
                "amqp:routing_key",
                $"The routing key is \"{InputErrors.Cut(source.RoutingKey)}\", the topic \"{InputErrors.Cut(topic)}\"; they must be equal.",
                "Publish with the topic as the routing key."
            );
        }

        return topic ?? "";
    }

    private SortedDictionary<string, string> Labels()
    {
        var labels = new SortedDictionary<string, string>(StringComparer.Ordinal);
        if (_members.Object("labels", "{\"env\": \"dev\"}") is not { } members)
        {
            return labels;
        }

        var count = 0;
        foreach (var label in members.EnumerateObject())
        {
            var where = "/labels/" + InputErrors.Cut(StrictJson.Escape(label.Name));
            if (++count > limits.MaxLabels)
            {
                errors.Report(
                    "too_many_labels",
                    "/labels",
                    $"More than {limits.MaxLabels} labels.",
                    "Keep labels for what rules test; put content into the payload."
                );
                break;
            }

            if (JsonMembers.Characters(label.Name) is var length && (length == 0 || length > limits.MaxLabelKey))
            {
                errors.Report(
                    "bad_label_key",
                    where,
                    $"The key has {length} characters; allowed are 1 to {limits.MaxLabelKey}.",
                    "Use a shorter key."
                );
            }
            else if (Reserved.Any(prefix => label.Name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)))
            {
                errors.Report(
                    "reserved_label",
                    where,
                    $"Labels starting {string.Join(", ", Reserved.Select(prefix => $"\"{prefix}\""))} are reserved for the server.",
                    "Leave it out; approvals are given over HTTP only."
                );
            }
            else if (_members.Text(label.Value, where, limits.MaxLabelValue) is { } value)
            {
                labels[label.Name] = value;
            }
        }

        return labels;
    }

    private string[] RiskTags()
    {
        if (_members.Member("risk_tags") is not { } array)
        {
            return [];
        }

        if (array.ValueKind != JsonValueKind.Array || array.GetArrayLength() > MaxTags)
        {
            errors.Report(
                "bad_risk_tags",
                "/risk_tags",
                $"Seen: {JsonMembers.Kind(array)}; allowed is an array of at most {MaxTags} strings.",
                "For example [\"egress\"]."
            );
            return [];
        }

        return
        [
            .. array
                .EnumerateArray()
                .Select((tag, i) => _members.Text(tag, $"/risk_tags/{i}", MaxTag) ?? "")
                .Distinct(StringComparer.Ordinal)
                .Order(StringComparer.Ordinal),
        ];
    }

    private byte[] Payload()
    {
        if (_members.Member("payload") is not { } payload)
        {
            return "{}"u8.ToArray();
        }

        var bytes = JsonMarshal.GetRawUtf8Value(payload);
        if (bytes.Length > limits.MaxPayloadBytes)
        {
            errors.Report(
                "payload_too_large",
                "/payload",
                $"The payload has {bytes.Length:N0} bytes; at most {limits.MaxPayloadBytes:N0} are allowed.",
                "Put large content into an object store and send its address."
            );
        }

        if (StrictJson.Depth(payload) is var depth and > JsonLimits.DeepestValue)
        {
            errors.Report(
                "payload_too_deep",
                "/payload",
                $"The payload has {depth} levels of arrays and objects; at most {JsonLimits.DeepestValue} are allowed.",
                "Flatten it, or send the deep part as a text."
            );
        }

        return bytes.ToArray();
    }

    private EstimatedCost? Cost()
    {
        if (_members.Object("estimated_cost", "{\"tokens\": 1200}") is not { } cost)
        {
            return null;
        }

        _members.CheckNames(cost, "/estimated_cost", ["tokens", "usd_micros"]);
        return new EstimatedCost { Tokens = Amount(cost, "tokens"), UsdMicros = Amount(cost, "usd_micros") };
    }

    private long Amount(JsonElement cost, string name)
    {
        if (!cost.TryGetProperty(name, out var amount))
        {
            return 0;
        }

        if (amount.ValueKind == JsonValueKind.Number && amount.TryGetInt64(out var value) && value >= 0)
        {
            return value;
        }

        errors.Report(
            "bad_amount",
            "/estimated_cost/" + name,
            $"Seen: {InputErrors.Cut(amount.GetRawText())}; allowed is a whole number from 0.",
            "Send whole units."
        );
        return 0;
    }

    private long? NotAfter()
    {
        if (_members.Text("not_after", MaxKey) is not { } text)
        {
            return null;
        }

        if (
            Rfc3339().IsMatch(text)
            && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, out var at)
            && at >= DateTimeOffset.UnixEpoch
        )
        {
            return Timestamps.Micros(at);
        }

        errors.Report(
            "bad_time",
            "/not_after",
            $"\"{InputErrors.Cut(text)}\" is not a time; allowed is RFC 3339 with an offset.",
            "For example \"2026-04-01T12:00:00Z\"."
        );
        return null;
    }

    [GeneratedRegex(@"^[a-z0-9_-]+(\.[a-z0-9_-]+){1,7}\z")]
    private static partial Regex TopicForm();

    [GeneratedRegex(@"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)\z")]
    private static partial Regex Rfc3339();
}
