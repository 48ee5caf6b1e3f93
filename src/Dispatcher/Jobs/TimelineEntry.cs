using System.Text.Json;
using System.Text.Json.Serialization;

namespace Dispatcher.Jobs;

/// <summary>One line of a job's history, written in the transaction that changes the state. Never updated, never deleted; the database refuses both.</summary>
internal sealed record TimelineEntry
{
    /// <summary>The actor of entries that the dispatcher writes without a request.</summary>
    public const string SystemActor = "dispatcher";

    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    /// <summary>Given by the store, in commit order per job.</summary>
    public long EntryId { get; init; }

    public required Guid JobId { get; init; }

    /// <summary>Given by the store: microseconds since 1970 by the database's clock.</summary>
    public long At { get; init; }

    /// <summary>What happened; one of <see cref="TimelineKinds"/>.</summary>
    public required string Kind { get; init; }

    public int Attempt { get; init; }

    /// <summary>Who: a principal, a worker, or <c>dispatcher</c>.</summary>
    public required string Actor { get; init; }

    /// <summary>UTF-8 JSON, kept as bytes because it will be hashed.</summary>
    public required byte[] Detail { get; init; }

    /// <summary>An entry of a job in its present attempt. <paramref name="detail"/> becomes JSON with snake_case names, without nulls.</summary>
    public static TimelineEntry Of<T>(string kind, Job job, string actor, T detail) =>
        new()
        {
            JobId = job.JobId,
            Kind = kind,
            Attempt = job.Attempt,
            Actor = actor,
            Detail = Json(detail),
        };

    /// <summary>The bytes of a detail.</summary>
    public static byte[] Json<T>(T detail) => JsonSerializer.SerializeToUtf8Bytes(detail, Options);
}

/// <summary>The words on the timeline.</summary>
internal static class TimelineKinds
{
    /// <summary>A submission that could not be read. Its id is that of its dead letter.</summary>
    public const string Refused = "refused";
    public const string Accepted = "accepted";
    public const string Held = "held";
    public const string Denied = "denied";

    /// <summary>A vote that neither completed the approval nor ended it.</summary>
    public const string Voted = "voted";

    /// <summary>The vote that completed the approval.</summary>
    public const string Approved = "approved";

    /// <summary>The vote that ended it.</summary>
    public const string Rejected = "rejected";

    /// <summary>A vote that did not count.</summary>
    public const string VoteRefused = "vote_refused";

    /// <summary>Somebody published that the job is approved. It is not.</summary>
    public const string EventRefused = "event_refused";

    /// <summary>Other rules are in force since the job was held: it is decided again.</summary>
    public const string Invalidated = "invalidated";
    public const string Dispatched = "dispatched";
    public const string Claimed = "claimed";
    public const string Returned = "returned";
    public const string Unclaimed = "unclaimed";
    public const string Fenced = "fenced";
    public const string Succeeded = "succeeded";
    public const string Faulted = "faulted";

    /// <summary>No attempt runs, and none begins any more: together they took too long.</summary>
    public const string LateOutcome = "late_outcome";
    public const string CancelRequested = "cancel_requested";
    public const string Cancelled = "cancelled";
    public const string Expired = "expired";
    public const string BundleActivated = "bundle_activated";

    /// <summary>The first line of a submission: request, decision and answer.</summary>
    public static readonly string[] Intake = [Accepted, Held, Denied];

    /// <summary>Lines that name the hash of the job that they are of.</summary>
    public static readonly string[] NamesJob = [.. Intake, Voted, Approved, Rejected, Dispatched];

    /// <summary>The last line of an attempt.</summary>
    public static readonly string[] Ends = [Returned, Unclaimed, Fenced, Succeeded, Faulted, Cancelled];

    /// <summary>Lines that submit a job, give an approval, use it or give it back.</summary>
    public static readonly string[] OfApprovals = [Accepted, Held, Approved, Dispatched, Unclaimed];

    /// <summary>Lines of a job that goes on: as long as such a one comes, it has not ended.</summary>
    public static readonly string[] Moves = [Accepted, Held, Approved, Invalidated, Dispatched, Claimed, .. Ends];
}
