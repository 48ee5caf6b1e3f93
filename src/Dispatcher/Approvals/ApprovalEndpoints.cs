using System.Security.Claims;
using System.Text.Json.Serialization;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Policies.Texts;
using Dispatcher.Web;

namespace Dispatcher.Approvals;

/// <summary>
/// The body of <c>POST /api/approvals/{id}/approve</c> and <c>…/reject</c>. The hashes name what is voted on, as <c>GET</c> shows it.
/// </summary>
internal sealed record VoteRequest
{
    /// <summary>Hash of the job, 64 hex digits. If it differs from that of the approval: 409.</summary>
    [JsonPropertyName("job_hash")]
    public required string JobHash { get; init; }

    /// <summary>Hash of the bundle that held the job, 64 hex digits. If it differs from that of the approval: 409.</summary>
    [JsonPropertyName("policy_hash")]
    public required string PolicyHash { get; init; }

    /// <summary>Hash of the review snapshot, 64 hex digits. If it differs from that of the approval: 409. Null: not compared.</summary>
    [JsonPropertyName("view_hash")]
    public string? ViewHash { get; init; }

    /// <summary>Why the person votes so, 1 to 2,000 characters.</summary>
    [JsonPropertyName("reason")]
    public required string Reason { get; init; }
}

/// <summary><c>/api/approvals</c>: lists approvals and takes votes. The API key identifies the voter, never the request.</summary>
internal static class ApprovalEndpoints
{
    private const int MaxReasonLength = 2_000;

    private static readonly string[] States =
    [
        ApprovalStates.Held,
        ApprovalStates.Approved,
        ApprovalStates.Consumed,
        ApprovalStates.Rejected,
        ApprovalStates.Expired,
        ApprovalStates.Invalidated,
    ];

    public static void MapApprovals(this IEndpointRouteBuilder routes)
    {
        var approvals = routes.MapGroup("/api/approvals").WithTags("approvals");
        approvals
            .MapGet("", ListAsync)
            .RequireAuthorization(Callers.Overseers)
            .Produces<Page<ApprovalSummary>>()
            .ProducesProblem(StatusCodes.Status400BadRequest);
        approvals
            .MapGet("/{approvalId}", ShowAsync)
            .RequireAuthorization(Callers.Overseers)
            .Produces<ApprovalView>()
            .ProducesProblem(StatusCodes.Status404NotFound);
        foreach (var verdict in new[] { Vote.Approve, Vote.Reject })
        {
            approvals
                .MapPost(
                    "/{approvalId}/" + verdict,
                    (string approvalId, VoteRequest request, ClaimsPrincipal caller, Voting voting, CancellationToken cancellationToken) =>
                        VoteAsync(approvalId, verdict, request, caller, voting, cancellationToken)
                )
                .RequireAuthorization(Callers.Approvers)
                .Produces<VoteCounted>()
                .ProducesProblem(StatusCodes.Status400BadRequest)
                .ProducesProblem(StatusCodes.Status403Forbidden)
                .ProducesProblem(StatusCodes.Status404NotFound)
                .ProducesProblem(StatusCodes.Status409Conflict)
                .WithStoreTimeout();
        }
    }

    private static async Task<IResult> ListAsync(
        ClaimsPrincipal caller,
        ApprovalReads reads,
        string? state,
        string? cursor,
        bool mine = true,
        int limit = 50,
        CancellationToken cancellationToken = default
    )
    {
        var errors = new List<InputError>();
        var known = States.FirstOrDefault(name => name.Equals(state ?? ApprovalStates.Held, StringComparison.OrdinalIgnoreCase));
        if (known is null)
        {
            string[] allowed = [.. States.Select(name => name.ToLowerInvariant())];
            errors.Report(
                "unknown_state",
                "?state",
                $"There is no state \"{InputErrors.Cut(state!)}\".",
                (Nearest.To(state!, allowed) is { } nearest ? $"Did you mean \"{nearest}\"? " : "")
                    + "Allowed: "
                    + string.Join(", ", allowed)
            );
        }

        var after = cursor is null ? ApprovalCursor.Start : ApprovalCursor.Read(cursor);
        if (after is null)
        {
            errors.Report(
                "bad_cursor",
                "?cursor",
                $"\"{InputErrors.Cut(cursor!)}\" is not a cursor.",
                "Send \"next\" of the page before unchanged, or leave it out for the first page."
            );
        }

        Paging.Read(null, limit, errors);
        if (errors.Count > 0)
        {
            return Problems.Malformed(errors);
        }

        var query = new ApprovalQuery(known!, mine && known == ApprovalStates.Held, limit, after!.Value);
        return Results.Ok(await reads.ListAsync(query, caller, cancellationToken));
    }

    private static async Task<IResult> ShowAsync(
        string approvalId,
        ClaimsPrincipal caller,
        ApprovalReads reads,
        CancellationToken cancellationToken
    ) =>
        ApprovalName.Read(approvalId) is { } name && await reads.FindAsync(name.JobId, name.Round, caller, cancellationToken) is { } view
            ? Results.Ok(view)
            : None(approvalId);

    private static async Task<IResult> VoteAsync(
        string approvalId,
        string verdict,
        VoteRequest request,
        ClaimsPrincipal caller,
        Voting voting,
        CancellationToken cancellationToken
    )
    {
        if (Check(request) is { Count: > 0 } errors)
        {
            return Problems.Malformed(errors);
        }

        if (ApprovalName.Read(approvalId) is not { Round: { } round } name)
        {
            return None(approvalId);
        }

        var cast = caller.Vote(Approval.IdOf(name.JobId, round), verdict, request.Reason) with
        {
            JobHash = request.JobHash,
            PolicyHash = request.PolicyHash,
            ViewHash = request.ViewHash,
        };
        var answer = await voting.CastAsync(cast, cancellationToken);
        if (answer.Approval is not { } approval)
        {
            return None(approvalId);
        }

        return answer.Refusal is { } refusal ? Refused(refusal) : Results.Ok(VoteCounted.Of(approval, answer.Job!));
    }

    private static List<InputError> Check(VoteRequest request)
    {
        var errors = new List<InputError>();
        errors.CheckReason(request.Reason, MaxReasonLength, "it is kept on the timeline");

        foreach (
            var (field, value) in new[]
            {
                ("job_hash", request.JobHash),
                ("policy_hash", request.PolicyHash),
                ("view_hash", request.ViewHash ?? request.JobHash),
            }
        )
        {
            if (value.Length != 64 || !value.All(char.IsAsciiHexDigitLower))
            {
                errors.Report(
                    "bad_hash",
                    "/" + field,
                    $"\"{InputErrors.Cut(value)}\" is not a hash; allowed are 64 digits of 0-9 and a-f.",
                    "Send the value that GET /api/approvals shows."
                );
            }
        }

        return errors;
    }

    private static IResult Refused(VoteRefusal refusal) =>
        Results.Problem(
            title: refusal.IsIneligible ? "This person may not vote on this job" : "The vote does not count",
            detail: refusal.Message,
            statusCode: refusal.IsIneligible ? StatusCodes.Status403Forbidden : StatusCodes.Status409Conflict,
            extensions: new Dictionary<string, object?>
            {
                ["code"] = refusal.Code,
                ["fix"] = refusal.Fix,
                ["changed"] = refusal.Changed,
            }
        );

    private static IResult None(string approvalId) =>
        Problems.NotFound(
            $"There is no approval \"{InputErrors.Cut(approvalId)}\"; an approval id is a job id and a round, "
                + "for example 0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10-1. A vote names both."
        );
}
