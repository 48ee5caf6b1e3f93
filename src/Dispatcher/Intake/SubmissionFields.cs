using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;

namespace Dispatcher.Intake;

/// <summary>The members of one submission, each checked against what is allowed.</summary>
internal sealed partial class SubmissionFields(JsonElement root, IntakeOptions limits, List<InputError> errors)
{
    private const int MaxTopic = 128;
    private const int MaxKey = 128;
    private const int MaxTags = 32;
    private const int MaxTag = 64;

    /// <summary>No rule may be written so that a producer could say that its job is approved.</summary>
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

    public Job? Read(SubmissionSource source)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            Add("not_an_object", "body", $"A job is a JSON object; seen: {Kind(root)}.", "Send an object with at least \"topic\".");
            return null;
        }

        CheckMembers(root, "", Known);
        CheckVersion();
        var topic = Topic(source);
        var labels = Labels();
        var tags = RiskTags();
        var payload = Payload();
        var key = Text("idempotency_key", MaxKey);
        var cost = Cost();
        var job = new Job
        {
            JobId = Identity(source, key),
            Principal = source.Principal ?? "",
            Topic = topic,
            Labels = labels,
            RiskTags = tags,
            Payload = payload,
            IdempotencyKey = key,
            WorkflowId = Text("workflow_id", MaxKey),
            CostTokens = cost?.Tokens,
            CostUsdMicros = cost?.UsdMicros,
            NotAfter = NotAfter(),
        };
        return errors.Count == 0 ? job : null;
    }

    private void CheckVersion()
    {
        if (Member("v") is { } version && !(version.ValueKind == JsonValueKind.Number && version.TryGetInt32(out var v) && v == 1))
        {
            Add("bad_version", "/v", $"Seen: {Cut(version.GetRawText())}; allowed is 1.", "Leave \"v\" out or set it to 1.");
        }
    }

    private string Topic(SubmissionSource source)
    {
        var topic = Text("topic", MaxTopic);
        if (Member("topic") is null)
        {
            Add("missing_topic", "/topic", "Every job has a topic.", "Add \"topic\", for example \"job.repo.read\".");
        }
        else if (topic is not null && !TopicForm().IsMatch(topic))
        {
            Add(
                "bad_topic",
                "/topic",
                $"\"{Cut(topic)}\" is no topic; allowed are 2 to 8 segments of a-z, 0-9, _ and -, joined by dots.",
                "Use the topic as topics.yaml has it."
            );
        }
        else if (topic is not null && source.RoutingKey is not null && source.RoutingKey != topic)
        {
            Add(
                "topic_mismatch",
                "amqp:routing_key",
                $"The routing key is \"{Cut(source.RoutingKey)}\", the topic \"{Cut(topic)}\"; they must be equal.",
                "Publish with the topic as the routing key."
            );
        }

        return topic ?? "";
    }

    private SortedDictionary<string, string> Labels()
    {
        var labels = new SortedDictionary<string, string>(StringComparer.Ordinal);
        if (Object("labels", "{\"env\": \"dev\"}") is not { } members)
        {
            return labels;
        }

        var count = 0;
        foreach (var label in members.EnumerateObject())
        {
            var where = "/labels/" + Cut(StrictJson.Escape(label.Name));
            if (++count > limits.MaxLabels)
            {
                Add(
                    "too_many_labels",
                    "/labels",
                    $"More than {limits.MaxLabels} labels.",
                    "Keep labels for what rules test; put content into the payload."
                );
                break;
            }

            if (Characters(label.Name) is var length && (length == 0 || length > limits.MaxLabelKey))
            {
                Add(
                    "bad_label_key",
                    where,
                    $"The key has {length} characters; allowed are 1 to {limits.MaxLabelKey}.",
                    "Use a shorter key."
                );
            }
            else if (Reserved.Any(prefix => label.Name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)))
            {
                Add(
                    "reserved_label",
                    where,
                    $"Labels starting {string.Join(", ", Reserved.Select(prefix => $"\"{prefix}\""))} are Dispatcher's own word.",
                    "Leave it out; approvals are given over HTTP only."
                );
            }
            else if (Text(label.Value, where, limits.MaxLabelValue) is { } value)
            {
                labels[label.Name] = value;
            }
        }

        return labels;
    }

    private string[] RiskTags()
    {
        if (Member("risk_tags") is not { } array)
        {
            return [];
        }

        if (array.ValueKind != JsonValueKind.Array || array.GetArrayLength() > MaxTags)
        {
            Add(
                "bad_risk_tags",
                "/risk_tags",
                $"Seen: {Kind(array)}; allowed is an array of at most {MaxTags} strings.",
                "For example [\"egress\"]."
            );
            return [];
        }

        return
        [
            .. array
                .EnumerateArray()
                .Select((tag, i) => Text(tag, $"/risk_tags/{i}", MaxTag) ?? "")
                .Distinct(StringComparer.Ordinal)
                .Order(StringComparer.Ordinal),
        ];
    }

    private byte[] Payload()
    {
        if (Member("payload") is not { } payload)
        {
            return "{}"u8.ToArray();
        }

        var bytes = JsonMarshal.GetRawUtf8Value(payload);
        if (bytes.Length > limits.MaxPayloadBytes)
        {
            Add(
                "payload_too_large",
                "/payload",
                $"The payload has {bytes.Length:N0} bytes; at most {limits.MaxPayloadBytes:N0} are taken.",
                "Put large content into an object store and send its address."
            );
        }

        if (StrictJson.Depth(payload) is var depth and > JsonLimits.DeepestValue)
        {
            Add(
                "payload_too_deep",
                "/payload",
                $"The payload has {depth} levels of arrays and objects; at most {JsonLimits.DeepestValue} are taken.",
                "Flatten it, or send the deep part as a text."
            );
        }

        return bytes.ToArray();
    }

    private EstimatedCost? Cost()
    {
        if (Object("estimated_cost", "{\"tokens\": 1200}") is not { } cost)
        {
            return null;
        }

        CheckMembers(cost, "/estimated_cost", ["tokens", "usd_micros"]);
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

        Add(
            "bad_amount",
            "/estimated_cost/" + name,
            $"Seen: {Cut(amount.GetRawText())}; allowed is a whole number from 0.",
            "Send whole units."
        );
        return 0;
    }

    private long? NotAfter()
    {
        if (Text("not_after", MaxKey) is not { } text)
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

        Add(
            "bad_time",
            "/not_after",
            $"\"{Cut(text)}\" is no time; allowed is RFC 3339 with an offset.",
            "For example \"2026-04-01T12:00:00Z\"."
        );
        return null;
    }

    private Guid Identity(SubmissionSource source, string? key)
    {
        if (Text("job_id", MaxKey) is { } text)
        {
            if (Guid.TryParseExact(text, "D", out var id) && id != Guid.Empty && !JobIds.IsDerived(id))
            {
                return id;
            }

            Add(
                "bad_job_id",
                "/job_id",
                $"\"{Cut(text)}\" is no id; allowed is a UUID with hyphens, not all zero and not of version 8, which Dispatcher makes itself.",
                "For example \"0197f3a0-7c1e-7b7a-9f53-0d4c2e6a1b11\", or leave it out and set \"idempotency_key\"."
            );
            return Guid.Empty;
        }

        if (source.Principal is null || Member("job_id") is not null)
        {
            return Guid.Empty;
        }

        if (key is not null)
        {
            return UuidV5.Of("key", source.Principal, key);
        }

        if (source.MessageId is { Length: > 0 })
        {
            return UuidV5.Of("message", source.Principal, source.MessageId);
        }

        if (source.NewJobId is null)
        {
            Add(
                "no_identity",
                "body",
                "Nothing tells this job from another: no job_id, no idempotency_key, no AMQP message_id.",
                "Set one of the three, so that sending it twice does not run it twice."
            );
        }

        return source.NewJobId ?? Guid.Empty;
    }
}
