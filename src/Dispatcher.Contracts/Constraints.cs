using System.Text.Json.Serialization;

namespace Dispatcher.Contracts;

/// <summary>
/// Limits that a decision puts on a run. The list is closed. The pool's workers enforce the limits that <c>topics.yaml</c> lists for the pool, and the
/// dispatcher denies a job with any other. Null means not limited. A reader refuses a limit that it does not know, because it cannot keep it.
/// </summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record Constraints
{
    /// <summary>
    /// Hosts the run may call, exact and lower case: <c>api.github.com</c> (ports 80 and 443) or <c>service.internal:8443</c> (that port
    /// only),
    /// see <see cref="Contracts.AllowedHosts"/>. Redirects count.
    /// </summary>
    [JsonPropertyName("allowed_hosts")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? AllowedHosts { get; init; }

    /// <summary>Programs the run may start: the first element of the argument vector, exact, for example <c>git</c>.</summary>
    [JsonPropertyName("allowed_commands")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? AllowedCommands { get; init; }

    /// <summary>The longest a run may take, in milliseconds, 1 to 86,400,000. Tightens the job class's own limit.</summary>
    [JsonPropertyName("timeout_ms")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? TimeoutMs { get; init; }

    /// <summary>The most output that is kept, in bytes of UTF-8, 0 to 1,048,576. What is over is cut and marked.</summary>
    [JsonPropertyName("max_output_bytes")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? MaxOutputBytes { get; init; }
}
