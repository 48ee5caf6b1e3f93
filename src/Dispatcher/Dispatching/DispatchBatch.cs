using System.Text.Json;
using System.Text.Json.Serialization;
using Dispatcher.Jobs;
using Dispatcher.Relaying;
using Dispatcher.Topology;

namespace Dispatcher.Dispatching;

/// <summary>The body of a dispatch message: jobs to look at, up to a whole batch of intake. It carries no facts: those come from the store.</summary>
internal sealed record DispatchBatch
{
    /// <summary>Wire version: 1.</summary>
    [JsonPropertyName("v")]
    public int V { get; init; } = 1;

    /// <summary>The jobs' ids.</summary>
    [JsonPropertyName("jobs")]
    public required IReadOnlyList<Guid> Jobs { get; init; }

    /// <summary>One message for all of these jobs.</summary>
    public static OutboxMessage Message(IEnumerable<Job> jobs, TimeProvider time) => new()
    {
        MessageId = Guid.CreateVersion7(time.GetUtcNow()),
        Exchange = "",
        RoutingKey = QueueNames.Dispatch,
        Mandatory = true,
        Type = "dispatch",
        Body = JsonSerializer.SerializeToUtf8Bytes(new DispatchBatch { Jobs = [.. jobs.Select(job => job.JobId)] }),
    };
}
