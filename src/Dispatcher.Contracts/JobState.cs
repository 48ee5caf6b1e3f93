using System.Text.Json.Serialization;

namespace Dispatcher.Contracts;

/// <summary>Where a job stands. The last seven are final, except that a replay takes a job out of <see cref="DeadLettered"/>.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<JobState>))]
public enum JobState
{
    /// <summary>Stored; waits for dispatch.</summary>
    [JsonStringEnumMemberName("accepted")]
    Accepted,

    /// <summary>Waits for people to approve it, and for nothing else.</summary>
    [JsonStringEnumMemberName("held")]
    Held,

    /// <summary>Approved; waits for dispatch.</summary>
    [JsonStringEnumMemberName("approved")]
    Approved,

    /// <summary>A work message is on its way to the pool; nobody has claimed it yet.</summary>
    [JsonStringEnumMemberName("dispatched")]
    Dispatched,

    /// <summary>A worker has claimed the attempt.</summary>
    [JsonStringEnumMemberName("running")]
    Running,

    /// <summary>An attempt failed in a way that may pass; the next one waits for its time.</summary>
    [JsonStringEnumMemberName("retrying")]
    Retrying,

    /// <summary>Done; the result is stored.</summary>
    [JsonStringEnumMemberName("succeeded")]
    Succeeded,

    /// <summary>Done, but the output was unsafe and is withheld.</summary>
    [JsonStringEnumMemberName("quarantined")]
    Quarantined,

    /// <summary>Set aside with its reason and an owner.</summary>
    [JsonStringEnumMemberName("dead_lettered")]
    DeadLettered,

    /// <summary>The policy in force at dispatch said no.</summary>
    [JsonStringEnumMemberName("denied")]
    Denied,

    /// <summary>An approver said no.</summary>
    [JsonStringEnumMemberName("rejected")]
    Rejected,

    /// <summary>Nobody approved it, or it did not start, in time.</summary>
    [JsonStringEnumMemberName("expired")]
    Expired,

    /// <summary>Its producer or an operator took it back.</summary>
    [JsonStringEnumMemberName("cancelled")]
    Cancelled,
}

/// <summary>What the policy says of a job, from the least to the most restrictive.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Verdict>))]
public enum Verdict
{
    /// <summary>Run it.</summary>
    [JsonStringEnumMemberName("ALLOW")]
    Allow,

    /// <summary>Run it within <see cref="Constraints"/>.</summary>
    [JsonStringEnumMemberName("ALLOW_WITH_CONSTRAINTS")]
    AllowWithConstraints,

    /// <summary>Hold it until people approve exactly this job.</summary>
    [JsonStringEnumMemberName("REQUIRE_APPROVAL")]
    RequireApproval,

    /// <summary>Do not run it.</summary>
    [JsonStringEnumMemberName("DENY")]
    Deny,
}
