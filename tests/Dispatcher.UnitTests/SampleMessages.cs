using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;

namespace Dispatcher.UnitTests;

/// <summary>A full and a bare example of every message on the wire.</summary>
internal static class SampleMessages
{
    internal static readonly Guid JobId = Guid.Parse("0197f3a0-7c1e-7b7a-9f53-0d4c2e6a1b11");
    internal static readonly Guid RunId = Guid.Parse("0197f3a0-0000-7000-8000-000000000001");
    internal static readonly Guid PermitId = Guid.Parse("0197f3a0-0000-7000-8000-000000000002");
    internal static readonly DateTimeOffset At = new(2026, 4, 1, 12, 0, 0, TimeSpan.Zero);
    internal static readonly string Hash = new('a', 64);

    internal static readonly Constraints Limits = new()
    {
        AllowedHosts = ["api.github.com"],
        AllowedCommands = ["git"],
        TimeoutMs = 5_000,
        MaxOutputBytes = 1_024,
    };
    internal static readonly Fault Broken = new()
    {
        Class = "transient",
        Type = "System.IO.IOException",
        Message = "The disk is full.",
        Code = "exit:1",
        RetryAfterMs = 500,
    };

    /// <summary>The name and the JSON of each example.</summary>
    public static IEnumerable<(string Name, string Json)> All() =>
        ProducerSamples.All().Concat(WorkerSamples.All()).OrderBy(sample => sample.Name, StringComparer.Ordinal);

    /// <summary>A full work message, as the server writes it.</summary>
    public static string Work() => Encoding.UTF8.GetString(WorkBody.Of(FullJob().Stored, true));

    /// <summary>A dispatched job that uses every member of a work message.</summary>
    public static AJob FullJob() =>
        AJob.OnTopic("job.exec.shell")
            .WithLabel("env", "dev")
            .WithLabel("who", "Zoë \"Z\"")
            .WithPayload("""{ "command": ["git","--version"] }""")
            .Dispatched(attempt: 2)
            .With(job =>
                job with
                {
                    Constraints = new Constraints { AllowedHosts = ["api.github.com"], TimeoutMs = 5_000 },
                }
            );

    /// <summary>The wire names of a record's members.</summary>
    public static IReadOnlyList<string> NamesOf<T>() =>
        [.. typeof(T).GetProperties().Select(property => property.GetCustomAttribute<JsonPropertyNameAttribute>()!.Name)];

    internal static (string Name, string Json) Sample<T>(string which, JsonTypeInfo<T> type, T message) =>
        ($"{typeof(T).Name} ({which})", JsonSerializer.Serialize(message, type));

    internal static JsonElement Element(string json) => JsonSerializer.Deserialize<JsonElement>(json);
}
