using System.Text.Json;
using System.Text.Json.Serialization;
using Dispatcher.Relaying;
using Dispatcher.Topology;

namespace Dispatcher.Dispatching;

/// <summary>The body of a dispatch message: pools in whose line something may be ready to go. It carries no job: which ones go, and in which order, the store tells.</summary>
internal sealed record DispatchWake
{
    /// <summary>Wire version: 1.</summary>
    [JsonPropertyName("v")]
    public int V { get; init; } = 1;

    /// <summary>Names of pools. The empty one has the jobs whose topic is not in the registry any more.</summary>
    [JsonPropertyName("pools")]
    public required IReadOnlyList<string> Pools { get; init; }

    /// <summary>One message for all of these pools.</summary>
    public static OutboxMessage Message(IEnumerable<string> pools, TimeProvider time) => Message("", QueueNames.Dispatch, pools, null, time);

    /// <summary>A message that waits on the broker until a retry is ready. Whether it is, the store tells: that a message comes early, late or never does no harm.</summary>
    public static OutboxMessage Later(string pool, TimeSpan pause, long readyAt, TimeProvider time) => Message(QueueNames.Retry, QueueNames.DelayKey(pause), [pool], readyAt, time);

    private static OutboxMessage Message(string exchange, string routingKey, IEnumerable<string> pools, long? expiresAt, TimeProvider time) => new()
    {
        MessageId = Guid.CreateVersion7(time.GetUtcNow()),
        Exchange = exchange,
        RoutingKey = routingKey,
        Mandatory = true,
        Type = "dispatch",
        Body = JsonSerializer.SerializeToUtf8Bytes(new DispatchWake { Pools = [.. pools.Distinct(StringComparer.Ordinal)] }),
        ExpiresAt = expiresAt,
    };
}
