using System.Globalization;
using System.Text;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Policies;
using Dispatcher.Policies.Model;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Approvals;

/// <summary>A query for a page of approvals.</summary>
/// <param name="State">One of <see cref="ApprovalStates"/>.</param>
/// <param name="Mine">True: only approvals for which the caller's vote would count.</param>
/// <param name="Limit">Maximum number of approvals.</param>
/// <param name="After">The last row of the page before.</param>
internal sealed record ApprovalQuery(string State, bool Mine, int Limit, ApprovalCursor After);

/// <summary>The last row of a page, written as <c>&lt;risk rank&gt;_&lt;microseconds since 1970&gt;_&lt;approval id&gt;</c>.</summary>
internal readonly record struct ApprovalCursor(int Rank, long At, Guid Id)
{
    /// <summary>Before the first row.</summary>
    public static readonly ApprovalCursor Start = new(-1, 0, Guid.Empty);

    /// <summary>Null: the text is not a cursor.</summary>
    public static ApprovalCursor? Read(string text) =>
        text.Split('_') is [var rank, var at, var id]
        && int.TryParse(rank, NumberStyles.None, CultureInfo.InvariantCulture, out var risk)
        && long.TryParse(at, NumberStyles.None, CultureInfo.InvariantCulture, out var micros)
        && Guid.TryParseExact(id, "D", out var guid)
            ? new ApprovalCursor(risk, micros, guid)
            : null;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Rank}_{At}_{Id}");
}

/// <summary>The topics of each risk, as the registry in force states it. A topic in neither list is of high risk, rank 0.</summary>
internal sealed record RiskRanks(List<string> Medium, List<string> Low)
{
    public bool AreEmpty => Medium.Count == 0 && Low.Count == 0;

    /// <summary>Only held approvals are sorted by risk. There may be millions of decided ones, and the index has them by time.</summary>
    public static RiskRanks Of(Bundle? bundle, string state) =>
        state == ApprovalStates.Held ? new RiskRanks(Topics(bundle, "medium"), Topics(bundle, "low")) : new RiskRanks([], []);

    private static List<string> Topics(Bundle? bundle, string risk) =>
        bundle is null ? [] : [.. bundle.JobClasses.Where(topic => topic.Value.Risk == risk).Select(topic => topic.Key)];
}

/// <summary>An approval in a list, with the columns of its job that the list shows.</summary>
internal sealed record ListedApproval
{
    private const int ExcerptBytes = 256;

    public required Approval Approval { get; init; }
    public required string Topic { get; init; }
    public required string Principal { get; init; }
    public required JobState JobState { get; init; }
    public required IReadOnlyList<string> Rules { get; init; }
    public required string Reason { get; init; }
    public required int Rank { get; init; }

    /// <summary>The first bytes of the payload, one more than are shown.</summary>
    public required byte[] Excerpt { get; init; }

    /// <summary>
    /// The first characters of the payload, with an ellipsis if it is longer. A character that was cut in two is left out.
    /// </summary>
    public string PayloadExcerpt =>
        Excerpt.Length <= ExcerptBytes
            ? Encoding.UTF8.GetString(Excerpt)
            : Encoding.UTF8.GetString(Excerpt, 0, ExcerptBytes).TrimEnd('\uFFFD') + "…";

    public ApprovalCursor Cursor => new(Rank, Approval.CreatedAt, Approval.CorrelationId);

    /// <summary>
    /// Reads one page in order. The inner query sorts keys and cuts the page; rules, votes and the excerpt of the payload are read for the
    /// rows of the page only. One statement reads both, so that they show the same moment.
    /// </summary>
    /// <param name="db">The store.</param>
    /// <param name="query">Which approvals. Its limit is not used here.</param>
    /// <param name="risks">The risk of each topic.</param>
    /// <param name="limit">Maximum number of rows.</param>
    public static IQueryable<ListedApproval> Page(DispatcherDb db, ApprovalQuery query, RiskRanks risks, int limit) =>
        from key in Ordered(Keys(db, query, risks), risks).Take(limit)
        join approval in db.Approvals.AsNoTracking() on key.ApprovalId equals approval.CorrelationId
        join job in db.Jobs on key.JobId equals job.JobId
        orderby key.Rank, key.CreatedAt, key.ApprovalId
        select new ListedApproval
        {
            Approval = approval,
            Topic = job.Topic,
            Principal = job.Principal,
            JobState = job.State,
            Rules = job.Rules,
            Reason = job.Reason,
            Rank = key.Rank,
            Excerpt = DispatcherDb.Slice(job.Payload, 1, ExcerptBytes + 1),
        };

    /// <summary>Keys of the approvals in the state, after the cursor.</summary>
    private static IQueryable<ListKey> Keys(DispatcherDb db, ApprovalQuery query, RiskRanks risks)
    {
        var (after, medium, low) = (query.After, risks.Medium, risks.Low);
        var keys =
            from approval in db.Approvals
            where approval.State == query.State
            join job in db.Jobs on approval.JobId equals job.JobId
            select new ListKey
            {
                ApprovalId = approval.CorrelationId,
                JobId = approval.JobId,
                CreatedAt = approval.CreatedAt,
                Rank =
                    low.Contains(job.Topic) ? 2
                    : medium.Contains(job.Topic) ? 1
                    : 0,
            };
        return after == ApprovalCursor.Start
            ? keys
            : keys.Where(key =>
                key.Rank > after.Rank
                || (
                    key.Rank == after.Rank
                    && (key.CreatedAt > after.At || (key.CreatedAt == after.At && key.ApprovalId.CompareTo(after.Id) > 0))
                )
            );
    }

    /// <summary>
    /// Without risks every rank is 0. The order then leaves out the rank, so that the database reads in the order of its index.
    /// </summary>
    private static IQueryable<ListKey> Ordered(IQueryable<ListKey> keys, RiskRanks risks) =>
        risks.AreEmpty
            ? keys.OrderBy(key => key.CreatedAt).ThenBy(key => key.ApprovalId)
            : keys.OrderBy(key => key.Rank).ThenBy(key => key.CreatedAt).ThenBy(key => key.ApprovalId);

    /// <summary>The columns that order the list.</summary>
    private sealed record ListKey
    {
        public required Guid ApprovalId { get; init; }
        public required Guid JobId { get; init; }
        public required long CreatedAt { get; init; }
        public required int Rank { get; init; }
    }
}

/// <summary>
/// An approval in a list. <c>GET /api/approvals/{id}</c> shows the rest: the whole payload, labels, constraints and the handler.
/// </summary>
internal sealed record ApprovalSummary
{
    /// <summary>Job id and round.</summary>
    public required string ApprovalId { get; init; }

    public required Guid JobId { get; init; }
    public required string State { get; init; }
    public required JobState JobState { get; init; }

    /// <summary>See <see cref="ApprovalView.Risk"/>.</summary>
    public required string Risk { get; init; }

    public required string Topic { get; init; }
    public required string Principal { get; init; }

    /// <summary>The rules that hold the job.</summary>
    public required IReadOnlyList<string> Rules { get; init; }

    public required string Reason { get; init; }

    /// <summary>The beginning of the payload, at most 256 bytes, for example <c>{"recipe":"web","version":"1.2.3"}</c>.</summary>
    public required string PayloadExcerpt { get; init; }

    public required string JobHash { get; init; }
    public required string PolicyHash { get; init; }
    public required string ViewHash { get; init; }

    /// <summary>The missing votes in words. Empty: none.</summary>
    public required string Missing { get; init; }

    /// <summary>Why a vote of the caller would not count. Null: it would count.</summary>
    public VoteRefusal? WhyNot { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset DecideBy { get; init; }
    public DateTimeOffset? DecidedAt { get; init; }
    public DateTimeOffset? UseBy { get; init; }
    public string? EndReason { get; init; }

    public static ApprovalSummary Of(ListedApproval listed, JobClass? jobClass, VoteRefusal? whyNot)
    {
        var approval = listed.Approval;
        return new ApprovalSummary
        {
            ApprovalId = approval.Name,
            JobId = approval.JobId,
            State = approval.State.ToLowerInvariant(),
            JobState = listed.JobState,
            Risk = jobClass?.Risk ?? "high",
            Topic = listed.Topic,
            Principal = listed.Principal,
            Rules = listed.Rules,
            Reason = listed.Reason,
            PayloadExcerpt = listed.PayloadExcerpt,
            JobHash = approval.JobHash,
            PolicyHash = approval.PolicyHash,
            ViewHash = approval.ViewHash,
            Missing = approval.State == ApprovalStates.Held ? Quorum.Missing(approval.Requirement, Quorum.Approvers(approval.Votes)) : "",
            WhyNot = whyNot,
            CreatedAt = Timestamps.At(approval.CreatedAt),
            DecideBy = Timestamps.At(approval.DecideBy),
            DecidedAt = Timestamps.At(approval.DecidedAt),
            UseBy = Timestamps.At(approval.UseBy),
            EndReason = approval.EndReason,
        };
    }
}
