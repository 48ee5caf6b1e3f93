using System.Text.Json;
using System.Text.Json.Serialization;
using Dispatcher.Broker;
using Dispatcher.Jobs;

namespace Dispatcher.Outbox;

/// <summary>The body of a dispatch message: pools in whose line something may be ready to go. It carries no job: which ones go, and in which order, the store tells.</summary>
internal sealed record DispatchSignal
{
    /// <summary>Most pools that one message names. The sweep finds the others.</summary>
    public const int MostPools = 500;

    /// <summary>Largest body that is read. A name has at most 64 characters, so that <see cref="MostPools"/> of them fit.</summary>
    public const int MaxBodyBytes = 65_536;

    /// <summary>Wire version: 1.</summary>
    [JsonPropertyName("v")]
    public int V { get; init; } = 1;

    /// <summary>Names of pools. The empty one has the jobs whose topic is not in the registry any more.</summary>
    [JsonPropertyName("pools")]
    public required IReadOnlyList<string> Pools { get; init; }

    /// <summary>
    /// Reads a body without trust: returns only <paramref name="known"/> pools, each once, so that the work that follows is bounded by the
    /// registry and not by the message. Returns null, and says why in <paramref name="fault"/>, if the body cannot be read.
    /// </summary>
    public static IReadOnlyList<string>? Read(ReadOnlyMemory<byte> body, IReadOnlySet<string> known, out string fault)
    {
        if (body.Length > MaxBodyBytes)
        {
            fault = $"it has {body.Length:N0} bytes; at most {MaxBodyBytes:N0} are read";
            return null;
        }

        fault = "it names no pool";
        try
        {
            return JsonSerializer.Deserialize<DispatchSignal>(body.Span)?.Pools is { Count: > 0 } pools
                ? [.. known.Intersect(pools)]
                : null;
        }
        catch (JsonException reason)
        {
            fault = reason.Message;
            return null;
        }
    }

    /// <summary>One message for all of these pools.</summary>
    public static OutboxMessage Message(IEnumerable<string> pools, TimeProvider time) =>
        Message("", QueueNames.Dispatch, pools, null, time);

    /// <summary>A message that waits on the broker until a retry is ready. Whether it is, the store tells: that a message comes early, late or never does no harm.</summary>
    public static OutboxMessage Later(string pool, TimeSpan pause, long readyAt, TimeProvider time) =>
        Message(QueueNames.Retry, QueueNames.DelayKey(pause), [pool], readyAt, time);

    private static OutboxMessage Message(
        string exchange,
        string routingKey,
        IEnumerable<string> pools,
        long? expiresAt,
        TimeProvider time
    ) =>
        new()
        {
            MessageId = Guid.CreateVersion7(time.GetUtcNow()),
            Exchange = exchange,
            RoutingKey = routingKey,
            Mandatory = true,
            Type = "dispatch",
            Body = JsonSerializer.SerializeToUtf8Bytes(
                new DispatchSignal { Pools = [.. pools.Distinct(StringComparer.Ordinal).Take(MostPools)] }
            ),
            ExpiresAt = expiresAt,
        };
}
