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

/// <summary>Which approvals to list.</summary>
/// <param name="State">One of <see cref="ApprovalStates"/>.</param>
/// <param name="Mine">Only those that the caller's vote would count for.</param>
/// <param name="Limit">At most so many.</param>
/// <param name="After">The row that the page before ended with.</param>
internal sealed record ApprovalQuery(string State, bool Mine, int Limit, ApprovalCursor After);

/// <summary>The row that a page ended with, as <c>&lt;risk rank&gt;_&lt;microseconds since 1970&gt;_&lt;approval id&gt;</c>.</summary>
internal readonly record struct ApprovalCursor(int Rank, long At, Guid Id)
{
    /// <summary>Before the first row.</summary>
    public static readonly ApprovalCursor Start = new(-1, 0, Guid.Empty);

    /// <summary>Null: it is no cursor.</summary>
    public static ApprovalCursor? Read(string text) =>
        text.Split('_') is [var rank, var at, var id]
        && int.TryParse(rank, NumberStyles.None, CultureInfo.InvariantCulture, out var risk)
        && long.TryParse(at, NumberStyles.None, CultureInfo.InvariantCulture, out var micros)
        && Guid.TryParseExact(id, "D", out var guid)
            ? new ApprovalCursor(risk, micros, guid)
            : null;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Rank}_{At}_{Id}");
}

/// <summary>The topics of each risk, by the registry in force. Whatever is in none of the lists counts as high, rank 0.</summary>
internal sealed record RiskRanks(List<string> Medium, List<string> Low)
{
    /// <summary>Ended approvals are sorted by time and not by risk: there may be millions, and the index has them by time.</summary>
    public static RiskRanks Of(Bundle? bundle, string state) =>
        state == ApprovalStates.Held ? new RiskRanks(Topics(bundle, "medium"), Topics(bundle, "low")) : new RiskRanks([], []);

    private static List<string> Topics(Bundle? bundle, string risk) =>
        bundle is null ? [] : [.. bundle.JobClasses.Where(topic => topic.Value.Risk == risk).Select(topic => topic.Key)];
}

/// <summary>An approval in a list, with what the list shows of its job. Most of the payload stays in the store.</summary>
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

    /// <summary>The first bytes of the payload.</summary>
    public required byte[] Excerpt { get; init; }

    /// <summary>The first characters of the payload, with an ellipsis where it goes on. A character that is cut in two is left out.</summary>
    public string PayloadExcerpt =>
        Excerpt.Length <= ExcerptBytes
            ? Encoding.UTF8.GetString(Excerpt)
            : Encoding.UTF8.GetString(Excerpt, 0, ExcerptBytes).TrimEnd('\uFFFD') + "…";

    public ApprovalCursor Cursor => new(Rank, Approval.CreatedAt, Approval.CorrelationId);

    /// <summary>In order, those behind the cursor.</summary>
    public static IQueryable<ListedApproval> Of(DispatcherDb db, string state, RiskRanks risks, ApprovalCursor after)
    {
        var (medium, low) = (risks.Medium, risks.Low);
        var rows =
            from approval in db.Approvals.AsNoTracking()
            where approval.State == state
            join job in db.Jobs on approval.JobId equals job.JobId
            select new
            {
                approval,
                job,
                rank = low.Contains(job.Topic) ? 2
                : medium.Contains(job.Topic) ? 1
                : 0,
            };
        if (after != ApprovalCursor.Start)
        {
            rows = rows.Where(row =>
                row.rank > after.Rank
                || (
                    row.rank == after.Rank
                    && (
                        row.approval.CreatedAt > after.At
                        || (row.approval.CreatedAt == after.At && row.approval.CorrelationId.CompareTo(after.Id) > 0)
                    )
                )
            );
        }

        var ordered = rows.OrderBy(row => row.rank).ThenBy(row => row.approval.CreatedAt).ThenBy(row => row.approval.CorrelationId);
        return ordered.Select(row => new ListedApproval
        {
            Approval = row.approval,
            Topic = row.job.Topic,
            Principal = row.job.Principal,
            JobState = row.job.State,
            Rules = row.job.Rules,
            Reason = row.job.Reason,
            Rank = row.rank,
            Excerpt = DispatcherDb.Slice(row.job.Payload, 1, ExcerptBytes + 1),
        });
    }
}

/// <summary>
/// An approval as a list shows it. <c>GET /api/approvals/{id}</c> has the rest: the whole payload, labels, limits and what would run.
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

    /// <summary>The rules that hold the job, and why.</summary>
    public required IReadOnlyList<string> Rules { get; init; }

    public required string Reason { get; init; }

    /// <summary>How the payload begins, at most 256 bytes of it, for example <c>{"recipe":"web","version":"1.2.3"}</c>.</summary>
    public required string PayloadExcerpt { get; init; }

    public required string JobHash { get; init; }
    public required string PolicyHash { get; init; }
    public required string ViewHash { get; init; }

    /// <summary>Which votes are missing, in words. Empty: none.</summary>
    public required string Missing { get; init; }

    /// <summary>Why a vote of the caller would not count. Null: it would.</summary>
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
