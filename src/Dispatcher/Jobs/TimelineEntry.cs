using System.Text.Json;
using System.Text.Json.Serialization;

namespace Dispatcher.Jobs;

/// <summary>
/// One event in the history of a job. The transaction that changes the state writes it. The table is append-only: the database refuses
/// updates, and deletes except those of <c>dispatcher retain</c>.
/// </summary>
internal sealed record TimelineEntry
{
    /// <summary>The actor of entries that the dispatcher writes without a request.</summary>
    public const string SystemActor = "dispatcher";

    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    /// <summary>Set by the store. The entries of one job have it in commit order.</summary>
    public long EntryId { get; init; }

    public required Guid JobId { get; init; }

    /// <summary>Set by the store: microseconds since 1970 by the database's clock.</summary>
    public long At { get; init; }

    /// <summary>One of <see cref="TimelineKinds"/>.</summary>
    public required string Kind { get; init; }

    public int Attempt { get; init; }

    /// <summary>A principal, a worker, or <see cref="SystemActor"/>.</summary>
    public required string Actor { get; init; }

    /// <summary>JSON in UTF-8. Kept as bytes, because the seal hashes them.</summary>
    public required byte[] Detail { get; init; }

    /// <summary>
    /// An entry for the current attempt of a job. <paramref name="detail"/> becomes JSON with snake_case names and without nulls.
    /// </summary>
    public static TimelineEntry Of<T>(string kind, Job job, string actor, T detail) =>
        new()
        {
            JobId = job.JobId,
            Kind = kind,
            Attempt = job.Attempt,
            Actor = actor,
            Detail = Json(detail),
        };

    /// <summary>Serializes a detail to the bytes of <see cref="Detail"/>.</summary>
    public static byte[] Json<T>(T detail) => JsonSerializer.SerializeToUtf8Bytes(detail, Options);
}

/// <summary>The kinds of timeline entries, as they are stored.</summary>
internal static class TimelineKinds
{
    /// <summary>A submission could not be read. The job id of the entry is the id of its dead letter.</summary>
    public const string Refused = "refused";

    /// <summary>Intake stored the job; it is in the backlog of its pool.</summary>
    public const string Accepted = "accepted";

    /// <summary>Intake or dispatch holds the job until it is approved.</summary>
    public const string Held = "held";

    /// <summary>The policy denied the job.</summary>
    public const string Denied = "denied";

    /// <summary>A vote counted and neither approved nor rejected the job: the quorum is not reached.</summary>
    public const string Voted = "voted";

    /// <summary>The vote that reached the quorum.</summary>
    public const string Approved = "approved";

    /// <summary>The vote that rejected the job.</summary>
    public const string Rejected = "rejected";

    /// <summary>A vote that did not count.</summary>
    public const string VoteRefused = "vote_refused";

    /// <summary>An event on the exchange claimed that the job is approved, and no such approval exists.</summary>
    public const string EventRefused = "event_refused";

    /// <summary>The rules changed while the job was held: its approval ended, and the policy evaluates it again.</summary>
    public const string Invalidated = "invalidated";

    /// <summary>An attempt was sent to the pool.</summary>
    public const string Dispatched = "dispatched";

    /// <summary>A worker claimed the attempt.</summary>
    public const string Claimed = "claimed";

    /// <summary>The worker gave the attempt back before its end, for example because it stops.</summary>
    public const string Returned = "returned";

    /// <summary>No worker claimed the attempt in time.</summary>
    public const string Unclaimed = "unclaimed";

    /// <summary>The lease of the worker ended without an outcome: the attempt failed, and a later outcome of it is refused.</summary>
    public const string Fenced = "fenced";

    /// <summary>The attempt succeeded.</summary>
    public const string Succeeded = "succeeded";

    /// <summary>The attempt failed with the fault that the worker reported.</summary>
    public const string Faulted = "faulted";

    /// <summary>An outcome arrived for an attempt that is not running any more. It changes nothing and is recorded.</summary>
    public const string LateOutcome = "late_outcome";

    /// <summary>A cancel of a running job was requested. The worker stops it.</summary>
    public const string CancelRequested = "cancel_requested";

    /// <summary>The job was cancelled.</summary>
    public const string Cancelled = "cancelled";

    /// <summary>The job, or its approval, reached its deadline before an attempt began.</summary>
    public const string Expired = "expired";

    /// <summary>A bundle came into force, or was pinned or unpinned. The entry belongs to no job.</summary>
    public const string BundleActivated = "bundle_activated";

    /// <summary>A person stopped the dispatch of a topic, of a pool or of everything. The entry belongs to no job.</summary>
    public const string Frozen = "frozen";

    /// <summary>A person ended a freeze before its time. The entry belongs to no job.</summary>
    public const string Unfrozen = "unfrozen";

    /// <summary>Old days were dropped; the detail is a signed statement. The entry belongs to no job.</summary>
    public const string Retained = "retained";

    /// <summary>The first entry of a submission: request, decision and answer.</summary>
    public static readonly string[] Intake = [Accepted, Held, Denied];

    /// <summary>Entries whose detail names the hash of their job.</summary>
    public static readonly string[] NamesJob = [.. Intake, Voted, Approved, Rejected, Dispatched];

    /// <summary>The last entry of an attempt.</summary>
    public static readonly string[] Ends = [Returned, Unclaimed, Fenced, Succeeded, Faulted, Cancelled];

    /// <summary>Entries that submit a job, give an approval, use it or give it back.</summary>
    public static readonly string[] OfApprovals = [Accepted, Held, Approved, Dispatched, Unclaimed];

    /// <summary>Entries that only a job in progress has. One of them after the end of a job contradicts that end.</summary>
    public static readonly string[] Moves = [Accepted, Held, Approved, Invalidated, Dispatched, Claimed, .. Ends];
}
