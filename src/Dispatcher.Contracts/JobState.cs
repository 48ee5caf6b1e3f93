using System.Text.Json.Serialization;

namespace Dispatcher.Contracts;

/// <summary>The state of a job. The last seven are final, except that a replay takes a job out of <see cref="DeadLettered"/>.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<JobState>))]
public enum JobState
{
    /// <summary>Stored; waits for dispatch.</summary>
    [JsonStringEnumMemberName("accepted")]
    Accepted,

    /// <summary>Waits for an approval.</summary>
    [JsonStringEnumMemberName("held")]
    Held,

    /// <summary>Approved; waits for dispatch.</summary>
    [JsonStringEnumMemberName("approved")]
    Approved,

    /// <summary>The work message is in the queue of the pool. No worker has claimed the attempt.</summary>
    [JsonStringEnumMemberName("dispatched")]
    Dispatched,

    /// <summary>A worker has claimed the attempt.</summary>
    [JsonStringEnumMemberName("running")]
    Running,

    /// <summary>An attempt failed with a transient fault. The next one waits for its time.</summary>
    [JsonStringEnumMemberName("retrying")]
    Retrying,

    /// <summary>The handler succeeded; the result is stored.</summary>
    [JsonStringEnumMemberName("succeeded")]
    Succeeded,

    /// <summary>The handler succeeded, but its output is unsafe and withheld. Not used yet.</summary>
    [JsonStringEnumMemberName("quarantined")]
    Quarantined,

    /// <summary>Set aside with a reason and an owner.</summary>
    [JsonStringEnumMemberName("dead_lettered")]
    DeadLettered,

    /// <summary>The policy that was in force at dispatch denied it.</summary>
    [JsonStringEnumMemberName("denied")]
    Denied,

    /// <summary>An approver rejected it.</summary>
    [JsonStringEnumMemberName("rejected")]
    Rejected,

    /// <summary>It was not approved or not started in time.</summary>
    [JsonStringEnumMemberName("expired")]
    Expired,

    /// <summary>Its producer or an operator cancelled it.</summary>
    [JsonStringEnumMemberName("cancelled")]
    Cancelled,
}

/// <summary>The verdict of the policy, from the least to the most restrictive.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Verdict>))]
public enum Verdict
{
    /// <summary>Run the job.</summary>
    [JsonStringEnumMemberName("ALLOW")]
    Allow,

    /// <summary>Run the job within <see cref="Constraints"/>.</summary>
    [JsonStringEnumMemberName("ALLOW_WITH_CONSTRAINTS")]
    AllowWithConstraints,

    /// <summary>Hold the job until people approve exactly this job.</summary>
    [JsonStringEnumMemberName("REQUIRE_APPROVAL")]
    RequireApproval,

    /// <summary>Do not run the job.</summary>
    [JsonStringEnumMemberName("DENY")]
    Deny,
}
