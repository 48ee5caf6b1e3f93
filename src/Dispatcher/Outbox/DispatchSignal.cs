using System.Text.Json;
using System.Text.Json.Serialization;
using Dispatcher.Broker;
using Dispatcher.Jobs;

namespace Dispatcher.Outbox;

/// <summary>
/// The body of a dispatch signal: the pools whose backlog may have ready jobs. It names no job: the store has the jobs and their order.
/// </summary>
internal sealed record DispatchSignal
{
    /// <summary>Pools that one signal names. The sweep dispatches the others.</summary>
    public const int MaxPools = 500;

    /// <summary>A longer body is not read. <see cref="MaxPools"/> names of 64 characters fit.</summary>
    public const int MaxBodyBytes = 65_536;

    /// <summary>Wire version: 1.</summary>
    [JsonPropertyName("v")]
    public int V { get; init; } = 1;

    /// <summary>Names of pools. The empty name is the backlog of jobs whose topic is no longer in the registry.</summary>
    [JsonPropertyName("pools")]
    public required IReadOnlyList<string> Pools { get; init; }

    /// <summary>
    /// Reads an untrusted body. Returns only <paramref name="known"/> pools, each once, so that the registry and not the sender limits the
    /// work that follows. Returns null if the body cannot be read; <paramref name="fault"/> states why.
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

    /// <summary>One signal for all of these pools.</summary>
    public static OutboxMessage Message(IEnumerable<string> pools, TimeProvider time) =>
        Message("", QueueNames.Dispatch, pools, null, time);

    /// <summary>
    /// A signal that waits in a delay queue until a retry is ready. The store decides whether it is: an early, late or lost signal does no
    /// harm.
    /// </summary>
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
                new DispatchSignal { Pools = [.. pools.Distinct(StringComparer.Ordinal).Take(MaxPools)] }
            ),
            ExpiresAt = expiresAt,
        };
}
