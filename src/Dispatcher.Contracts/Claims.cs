using System.Text.Json.Serialization;

namespace Dispatcher.Contracts;

/// <summary>The body of <c>POST /api/attempts/claim</c>: a worker claims the attempts that it can start now.</summary>
public sealed record ClaimRequest
{
    /// <summary>Version of the message format: 1.</summary>
    [JsonPropertyName("v")]
    public int V { get; init; } = 1;

    /// <summary>Name of the worker instance, for example <c>host-17/4711</c>; at most 128 characters.</summary>
    [JsonPropertyName("worker")]
    public required string Worker { get; init; }

    /// <summary>
    /// A new UUID for each request. To retry a request whose answer was lost, send the same id: the server repeats the
    /// first answer. A permit that was claimed under another id is answered <c>taken</c>.
    /// </summary>
    [JsonPropertyName("claim_id")]
    public required Guid ClaimId { get; init; }

    /// <summary>The permits, as received in the header <see cref="Headers.Permit"/>; 1 to 256.</summary>
    [JsonPropertyName("permits")]
    public required IReadOnlyList<string> Permits { get; init; }
}

/// <summary>The answer to a <see cref="ClaimRequest"/>.</summary>
public sealed record ClaimAnswer
{
    /// <summary>Version of the message format: 1.</summary>
    [JsonPropertyName("v")]
    public int V { get; init; } = 1;

    /// <summary>One claim for each permit, in the order of the request.</summary>
    [JsonPropertyName("claims")]
    public required IReadOnlyList<Claim> Claims { get; init; }
}

/// <summary>The answer for one permit.</summary>
public sealed record Claim
{
    /// <summary>Whether the attempt is granted, and if not, why.</summary>
    [JsonPropertyName("status")]
    public required ClaimStatus Status { get; init; }

    /// <summary>The id of the run. The outcome must repeat it. Null: the claim is not granted.</summary>
    [JsonPropertyName("run_id")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Guid? RunId { get; init; }

    /// <summary>The permit's <c>jti</c>. The outcome repeats it as <c>permit_id</c>. Null: the permit could not be read.</summary>
    [JsonPropertyName("permit_id")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Guid? PermitId { get; init; }
}

/// <summary>The answers to a claim. For every status except <see cref="Granted"/>, acknowledge the message and drop it.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ClaimStatus>))]
public enum ClaimStatus
{
    /// <summary>Run the attempt.</summary>
    [JsonStringEnumMemberName("granted")]
    Granted,

    /// <summary>The attempt was already claimed, under another <c>claim_id</c>.</summary>
    [JsonStringEnumMemberName("taken")]
    Taken,

    /// <summary>The attempt is over: the job has a later attempt or a final state.</summary>
    [JsonStringEnumMemberName("fenced")]
    Fenced,

    /// <summary>The job was cancelled.</summary>
    [JsonStringEnumMemberName("cancelled")]
    Cancelled,

    /// <summary>The permit has expired. The server dispatches the job again.</summary>
    [JsonStringEnumMemberName("expired")]
    Expired,

    /// <summary>
    /// The permit is unreadable or was not signed by this server; or this key may not serve its pool; or this instance
    /// does not enforce all its constraints.
    /// </summary>
    [JsonStringEnumMemberName("invalid")]
    Invalid,
}
