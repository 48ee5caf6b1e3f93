using System.Security.Claims;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Intake;
using Dispatcher.Storage;
using Dispatcher.Web;
using Microsoft.AspNetCore.Mvc;

namespace Dispatcher.Api;

/// <summary>The body of <c>POST /api/policies/explain</c>: a stored job by its id, or a planned job that is not submitted.</summary>
internal sealed record ExplainRequest
{
    /// <summary>
    /// A job or a denied submission. Each of its decisions is explained with the bundle that made it. Null: <see cref="Job"/> is given.
    /// </summary>
    [JsonPropertyName("job_id")]
    public Guid? JobId { get; init; }

    /// <summary>A planned job, in the format of a submission. Null: <see cref="JobId"/> is given.</summary>
    [JsonPropertyName("job")]
    public JsonElement? Job { get; init; }

    /// <summary>The principal that would submit <see cref="Job"/>. Null: the caller.</summary>
    [JsonPropertyName("principal")]
    public string? Principal { get; init; }

    /// <summary>The number of the attempt to evaluate, from 1.</summary>
    [JsonPropertyName("attempt")]
    public int Attempt { get; init; } = 1;

    /// <summary>The bundle that evaluates <see cref="Job"/>: its hash, the first digits of it (at least 8), or <c>active</c>.</summary>
    [JsonPropertyName("policy_hash")]
    public string PolicyHash { get; init; } = StoredBundles.InForce;
}

/// <summary>The explanations of one job's decisions, oldest first.</summary>
internal sealed record ExplainAnswer(IReadOnlyList<ExplainedDecision> Decisions);

/// <summary>
/// One decision. <see cref="Recorded"/> is the decision on the timeline, null for a planned job. <see cref="IsAsRecorded"/>: the bundle
/// decides the same again. Without an explanation, <see cref="WhyNot"/> states the reason.
/// </summary>
internal sealed record ExplainedDecision(RecordedDecision? Recorded, ExplanationView? Explanation, bool? IsAsRecorded, string? WhyNot);

/// <summary><c>POST /api/policies/explain</c> and <c>/diff</c>, for the roles that may see every job.</summary>
internal static class ExplainEndpoints
{
    /// <summary>Larger than the largest submission that intake reads.</summary>
    private const long MaxExplainBytes = 2 * 1024 * 1024;

    /// <summary>Two archives. A bundle of 1,000 rules has 0.5 MB, and base64 applied twice makes it 1.8 times as large.</summary>
    private const long MaxDiffBytes = 16 * 1024 * 1024;

    public static void MapExplanations(this IEndpointRouteBuilder routes)
    {
        var policies = routes.MapGroup("/api/policies").RequireAuthorization(Callers.Overseers).WithTags("policies");
        policies
            .MapPost("/explain", ExplainAsync)
            .WithMetadata(new RequestSizeLimitAttribute(MaxExplainBytes))
            .Produces<ExplainAnswer>()
            .ProducesProblem(StatusCodes.Status400BadRequest)
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status409Conflict);
        policies
            .MapPost("/diff", DiffAsync)
            .WithMetadata(new RequestSizeLimitAttribute(MaxDiffBytes))
            .Produces<PolicyDiffView>()
            .ProducesProblem(StatusCodes.Status400BadRequest)
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status409Conflict);
    }

    private static async Task<IResult> ExplainAsync(
        ExplainRequest request,
        ClaimsPrincipal caller,
        StoredDecisions jobs,
        StoredBundles kept,
        SubmissionReader reader,
        StoreClock clock,
        CancellationToken cancellationToken
    )
    {
        var errors = Check(request);
        if (errors.Count > 0)
        {
            return Problems.Malformed(errors);
        }

        if (request.JobId is { } jobId)
        {
            return await jobs.ExplainAsync(jobId, cancellationToken) is { } decisions
                ? Results.Ok(new ExplainAnswer(decisions))
                : Problems.NotFound($"Neither a job nor a denied submission has the id {jobId}.");
        }

        var source = new SubmissionSource
        {
            Channel = "http",
            Principal = request.Principal ?? caller.Subject(),
            NewJobId = Guid.Empty,
        };
        if (reader.Read(Encoding.UTF8.GetBytes(request.Job!.Value.GetRawText()), source, errors) is not { } submission)
        {
            return Problems.Malformed([.. errors.Select(error => error with { Where = "/job" + error.Where })]);
        }

        var found = await kept.FindAsync(request.PolicyHash, "/policy_hash", cancellationToken);
        return found.Bundle is not { } bundle
            ? found.Problem!
            : Results.Ok(
                new ExplainAnswer([
                    new ExplainedDecision(
                        null,
                        ExplanationView.Of(bundle.Explain(submission.Job.Facts(request.Attempt), Timestamps.At(clock.Now))),
                        null,
                        null
                    ),
                ])
            );
    }

    private static List<InputError> Check(ExplainRequest request)
    {
        var errors = new List<InputError>();
        if ((request.JobId is null) == (request.Job is null))
        {
            errors.Report("job_or_job_id", "body", "The body has both or neither of \"job_id\" and \"job\".", "Send exactly one of them.");
        }

        if (request.Principal is { } principal && !PrincipalName.IsValid(principal))
        {
            errors.Report(
                "bad_principal",
                "/principal",
                $"\"{InputErrors.Cut(principal)}\" is not a valid name.",
                "Use 1 to 64 characters of a-z, 0-9, _ and -."
            );
        }

        if (request.Attempt is < 1 or > 100)
        {
            errors.Report("bad_attempt", "/attempt", $"{request.Attempt} is not allowed.", "Use 1 to 100.");
        }

        return errors;
    }

    private static async Task<IResult> DiffAsync(
        PolicyDiffRequest request,
        StoredDecisions jobs,
        StoredBundles kept,
        StoreClock clock,
        CancellationToken cancellationToken
    )
    {
        if (request.SinceSeconds is < 1 or > PolicyDiffRequest.MaxSeconds)
        {
            var errors = new List<InputError>();
            errors.Report(
                "bad_since",
                "/since_seconds",
                $"{request.SinceSeconds} is not allowed.",
                $"Use 1 to {PolicyDiffRequest.MaxSeconds}."
            );
            return Problems.Malformed(errors);
        }

        var old = await request.Old.FindAsync(kept, "/old", cancellationToken);
        var candidate = await request.New.FindAsync(kept, "/new", cancellationToken);
        if (old.Bundle is null || candidate.Bundle is null)
        {
            return old.Problem ?? candidate.Problem!;
        }

        return Results.Ok(
            await jobs.CompareAsync(
                old.Bundle,
                candidate.Bundle,
                clock.Now - Timestamps.Micros(TimeSpan.FromSeconds(request.SinceSeconds)),
                cancellationToken
            )
        );
    }
}
