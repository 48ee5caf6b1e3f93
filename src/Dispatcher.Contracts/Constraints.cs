using System.Text.Json.Serialization;

namespace Dispatcher.Contracts;

/// <summary>
/// Limits that a decision puts on a run. The list is closed. The pool's workers enforce the limits that
/// <c>topics.yaml</c> lists for the pool, and the server denies a job with any other. Null means not limited. A reader
/// refuses a limit that it does not know, because it cannot enforce it.
/// </summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record Constraints
{
    /// <summary>
    /// Hosts that the run may call, exact and in lower case: <c>api.github.com</c> (ports 80 and 443) or
    /// <c>service.internal:8443</c> (that port only). An IPv6 address is in brackets. Redirects must fit too.
    /// </summary>
    [JsonPropertyName("allowed_hosts")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? AllowedHosts { get; init; }

    /// <summary>
    /// Programs that the run may start: the first element of the argument vector, compared exactly, for example
    /// <c>git</c>.
    /// </summary>
    [JsonPropertyName("allowed_commands")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? AllowedCommands { get; init; }

    /// <summary>The longest duration of a run, in milliseconds, 1 to 86,400,000. It can only shorten the limit of the topic.</summary>
    [JsonPropertyName("timeout_ms")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? TimeoutMs { get; init; }

    /// <summary>The longest output that is kept, in bytes of UTF-8, 0 to 1,048,576. A longer output is cut and marked.</summary>
    [JsonPropertyName("max_output_bytes")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? MaxOutputBytes { get; init; }
}
