using System.Text.Json.Serialization;

namespace Dispatcher.Contracts;

/// <summary>The body of <c>POST /api/attempts/claim</c>: a worker takes the attempts it can start now.</summary>
public sealed record ClaimRequest
{
    /// <summary>Wire version: 1.</summary>
    [JsonPropertyName("v")]
    public int V { get; init; } = 1;

    /// <summary>The worker instance, for example <c>host-17/4711</c>; at most 128 characters.</summary>
    [JsonPropertyName("worker")]
    public required string Worker { get; init; }

    /// <summary>A new UUID for each request. Sending the same request again, because its answer was lost, is answered as the first time; a permit under another id is <c>taken</c>.</summary>
    [JsonPropertyName("claim_id")]
    public required Guid ClaimId { get; init; }

    /// <summary>The permits as they came in header <see cref="Headers.Permit"/>; 1 to 256.</summary>
    [JsonPropertyName("permits")]
    public required IReadOnlyList<string> Permits { get; init; }
}

/// <summary>The answer to a <see cref="ClaimRequest"/>: one claim for each permit, in the same order.</summary>
public sealed record ClaimAnswer
{
    /// <summary>Wire version: 1.</summary>
    [JsonPropertyName("v")]
    public int V { get; init; } = 1;

    /// <summary>One for each permit, in order.</summary>
    [JsonPropertyName("claims")]
    public required IReadOnlyList<Claim> Claims { get; init; }
}

/// <summary>What became of one permit.</summary>
public sealed record Claim
{
    /// <summary>Granted, or why not.</summary>
    [JsonPropertyName("status")]
    public required ClaimStatus Status { get; init; }

    /// <summary>The right to report this attempt's outcome. Null unless granted.</summary>
    [JsonPropertyName("run_id")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Guid? RunId { get; init; }

    /// <summary>The permit's id, the <c>permit_id</c> of the outcome. Null when the permit could not be read.</summary>
    [JsonPropertyName("permit_id")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Guid? PermitId { get; init; }
}

/// <summary>The answer to a claim. Everything but <see cref="Granted"/> means: ack the message and drop it.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ClaimStatus>))]
public enum ClaimStatus
{
    /// <summary>Run it.</summary>
    [JsonStringEnumMemberName("granted")]
    Granted,

    /// <summary>Somebody claimed this attempt already.</summary>
    [JsonStringEnumMemberName("taken")]
    Taken,

    /// <summary>The job has moved on: a later attempt, or a final state.</summary>
    [JsonStringEnumMemberName("fenced")]
    Fenced,

    /// <summary>The job was cancelled.</summary>
    [JsonStringEnumMemberName("cancelled")]
    Cancelled,

    /// <summary>The permit's time is over; the sweep hands the attempt out again.</summary>
    [JsonStringEnumMemberName("expired")]
    Expired,

    /// <summary>The permit was not signed by this dispatcher, is unreadable, or is for a pool that this key may not serve, or whose constraints this instance does not all enforce.</summary>
    [JsonStringEnumMemberName("invalid")]
    Invalid,
}
