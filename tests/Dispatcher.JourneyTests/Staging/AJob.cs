using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using RabbitMQ.Client;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>
/// A submission to be: <c>AJob.On("job.test.once").WithLabel("env", "dev")</c>. Sending the same one twice sends the same bytes.
/// </summary>
internal sealed record AJob
{
    public required string Topic { get; init; }

    public Guid JobId { get; init; } = Guid.CreateVersion7();

    public JsonNode Payload { get; init; } = new JsonObject();

    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();

    public string? NotAfter { get; init; }

    public static AJob On(string topic) => new() { Topic = topic };

    public AJob With(JsonNode payload) => this with { Payload = payload };

    public AJob WithLabel(string name, string value) => this with { Labels = new Dictionary<string, string>(Labels) { [name] = value } };

    public byte[] Body()
    {
        var body = new JsonObject
        {
            ["job_id"] = JobId.ToString(),
            ["topic"] = Topic,
            ["payload"] = Payload.DeepClone(),
        };
        if (Labels.Count > 0)
        {
            body["labels"] = new JsonObject(Labels.Select(label => KeyValuePair.Create(label.Key, (JsonNode?)label.Value)));
        }

        if (NotAfter is not null)
        {
            body["not_after"] = NotAfter;
        }

        return JsonSerializer.SerializeToUtf8Bytes(body);
    }

    public Parcel Parcel() => new(Topic, Body(), JobId.ToString());
}

/// <summary>A message as it is published. The name is its correlation id and AMQP message id. Tests change what must be wrong.</summary>
internal sealed partial record Parcel(string RoutingKey, byte[] Body, string Name)
{
    public string? UserId { get; init; } = Producer.Self;

    public string? ContentType { get; init; } = "application/json";

    public IDictionary<string, object?>? Headers { get; init; }

    /// <summary>How long the broker keeps it in a queue, in milliseconds. Null: without limit.</summary>
    public string? Expiration { get; init; }

    /// <summary>Null: the reply queue of the producer.</summary>
    public string? ReplyTo { get; init; }

    public BasicProperties Properties(string user, string replyTo)
    {
        var properties = new BasicProperties
        {
            CorrelationId = Name,
            MessageId = Name,
            ReplyTo = ReplyTo ?? replyTo,
            DeliveryMode = DeliveryModes.Persistent,
            Headers = Headers,
        };
        if (UserId is not null)
        {
            properties.UserId = UserId == Producer.Self ? user : UserId;
        }

        if (Expiration is not null)
        {
            properties.Expiration = Expiration;
        }

        if (ContentType is not null)
        {
            properties.ContentType = ContentType;
        }

        return properties;
    }

    /// <summary>The job id in the body, which distinguishes the parcel from all others.</summary>
    public byte[] Mark() => Encoding.ASCII.GetBytes(Id().Match(Encoding.Latin1.GetString(Body)).Value);

    [GeneratedRegex("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")]
    private static partial Regex Id();
}
