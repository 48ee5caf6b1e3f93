using System.Globalization;
using System.Security.Claims;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Intake;
using Dispatcher.Policies.Texts;
using Dispatcher.Storage;
using Dispatcher.Web;
using Microsoft.Extensions.Options;

namespace Dispatcher.Api;

/// <summary><c>/api/jobs</c>: submit, list, show and cancel jobs. Producers see and cancel only their own.</summary>
internal static class JobEndpoints
{
    public static void MapJobs(this IEndpointRouteBuilder routes)
    {
        var jobs = routes.MapGroup("/api/jobs").RequireAuthorization(Callers.Anyone).WithTags("jobs");
        jobs.MapPost("", SubmitAsync)
            .RequireAuthorization(Callers.Producers)
            .Accepts<SubmitJob>("application/json", "*/*")
            .Produces<JobDecision>(StatusCodes.Status202Accepted)
            .Produces<JobDecision>(StatusCodes.Status403Forbidden)
            .ProducesProblem(StatusCodes.Status400BadRequest)
            .ProducesProblem(StatusCodes.Status409Conflict)
            .WithMetadata(StoreTimeout.Instance)
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable);
        jobs.MapGet("", ListAsync).Produces<Page<JobSummary>>().ProducesProblem(StatusCodes.Status400BadRequest);
        jobs.MapGet("/{jobId:guid}", ShowAsync).Produces<JobView>();
        jobs.MapGet("/{jobId:guid}/timeline", TimelineAsync).Produces<Page<TimelineEntryView>>();
        jobs.MapGet("/{jobId:guid}/attempts", AttemptsAsync).Produces<Page<AttemptView>>();
        jobs.MapPost("/{jobId:guid}/cancel", CancelAsync)
            .Produces<CancelAnswer>(StatusCodes.Status202Accepted)
            .ProducesProblem(StatusCodes.Status403Forbidden)
            .ProducesProblem(StatusCodes.Status409Conflict)
            .WithStoreTimeout();
    }

    private static async Task<IResult> SubmitAsync(
        HttpContext http,
        ClaimsPrincipal caller,
        JobIntake intake,
        StoreClock clock,
        IOptions<IntakeOptions> limits,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        if (clock.Trouble is { } trouble)
        {
            return Problems.NotWritten($"The job was not taken: {trouble}; see /health/ready.");
        }

        var source = new SubmissionSource
        {
            Channel = "http",
            Principal = caller.Subject(),
            ContentType = http.Request.ContentType,
            ContentEncoding = http.Request.Headers.ContentEncoding.Count == 0 ? null : http.Request.Headers.ContentEncoding.ToString(),
            TraceParent = http.Request.Headers.TraceParent,
            NewJobId = Guid.CreateVersion7(time.GetUtcNow()),
        };
        var most = limits.Value.MaxBodyBytes;
        var body = http.Request.ContentLength > most ? default : await BodyAsync(http.Request, most, cancellationToken);
        if (http.Request.ContentLength > most || body.Length > most)
        {
            // Without a stated length it is not read to its end only to be counted.
            var bytes =
                http.Request.ContentLength?.ToString("N0", CultureInfo.InvariantCulture)
                ?? $"more than {most.ToString("N0", CultureInfo.InvariantCulture)}";
            return Problems.Malformed([SubmissionReader.TooLarge(bytes, most)]);
        }

        // From here on: a slow upload is the caller's own time.
        using var limit = StoreTimeouts.Begin(http);
        EvaluatedSubmission? read = null;
        try
        {
            read = await intake.EvaluateAsync(body, source, limit.Token);
            return Answer(await intake.AnswerAsync(read, limit.Token));
        }
        catch (AbandonedCommitException given) when (given.MayBeCommitted)
        {
            return Problems.MaybeWritten(
                "It is unknown whether the job was taken: the database did not answer in time. "
                    + "Send the same job again with the same idempotency_key or job_id; one that was taken is not taken twice.",
                read!.Submission!.Job.JobId
            );
        }
        catch (Exception fault) when (fault.IsOfStore(http))
        {
            return Problems.NotWritten("The job was not taken: the database does not take writes now. Send it again.");
        }
    }

    private static IResult Answer(IntakeResult result) =>
        result switch
        {
            { Outcome: IntakeOutcome.Malformed } => Problems.Malformed(result.Errors),
            { Answer: null } => Problems.Conflict(result.Errors),
            { Answer: { State: JobState.Denied } denial } => Results.Json(
                denial,
                WireJson.Default.JobDecision,
                statusCode: StatusCodes.Status403Forbidden
            ),
            { Answer: { } answer } => Results.Json(answer, WireJson.Default.JobDecision, statusCode: StatusCodes.Status202Accepted),
        };

    private static async Task<IResult> ListAsync(
        ClaimsPrincipal caller,
        JobReads reads,
        string? state,
        string? topic,
        string? principal,
        string? cursor,
        int limit = 50,
        CancellationToken cancellationToken = default
    )
    {
        var errors = new List<InputError>();
        var page = Paging.Read(cursor, limit, errors);
        if (state is not null && !WireNames.TryState(state, out _))
        {
            errors.Report(
                "unknown_state",
                "?state",
                $"State \"{InputErrors.Cut(state)}\" does not exist.",
                (Nearest.To(state, [.. WireNames.AllStates]) is { } nearest ? $"Did you mean \"{nearest}\"? " : "")
                    + "Allowed: "
                    + string.Join(", ", WireNames.AllStates)
            );
        }

        // PostgreSQL accepts every character in a text but this one, which it refuses with an exception.
        foreach (
            var (name, _) in new[] { ("topic", topic), ("principal", principal) }.Where(filter =>
                filter.Item2?.Contains('\0', StringComparison.Ordinal) == true
            )
        )
        {
            errors.Report("nul_character", "?" + name, "The text contains the character U+0000.", "Remove it.");
        }

        if (errors.Count > 0)
        {
            return Problems.Malformed(errors);
        }

        var query = new JobQuery(
            state is null ? null : WireNames.State(state),
            topic,
            caller.MaySeeAll() ? principal : caller.Subject(),
            page
        );
        return Results.Ok(await reads.ListAsync(query, cancellationToken));
    }

    private static async Task<IResult> ShowAsync(Guid jobId, ClaimsPrincipal caller, JobReads reads, CancellationToken cancellationToken) =>
        await reads.FindAsync(jobId, caller, cancellationToken) is { } job
            ? Results.Ok(JobView.Of(job))
            : Problems.NotFound(await reads.WhyNotAsync(jobId, caller, cancellationToken));

    private static async Task<IResult> TimelineAsync(
        Guid jobId,
        ClaimsPrincipal caller,
        JobReads reads,
        CancellationToken cancellationToken
    ) =>
        await reads.TimelineAsync(jobId, caller, cancellationToken) is { } entries
            ? Results.Ok(new Page<TimelineEntryView>([.. entries.Select(TimelineEntryView.Of)], null))
            : Problems.NotFound(await reads.WhyNotAsync(jobId, caller, cancellationToken));

    private static async Task<IResult> AttemptsAsync(
        Guid jobId,
        ClaimsPrincipal caller,
        JobReads reads,
        CancellationToken cancellationToken
    ) =>
        await reads.TimelineAsync(jobId, caller, cancellationToken) is { } entries
            ? Results.Ok(new Page<AttemptView>(AttemptView.Of(entries), null))
            : Problems.NotFound(await reads.WhyNotAsync(jobId, caller, cancellationToken));

    private static async Task<IResult> CancelAsync(
        Guid jobId,
        ClaimsPrincipal caller,
        JobReads reads,
        JobCancel cancel,
        CancellationToken cancellationToken
    )
    {
        if (await reads.LocateAsync(jobId, caller, cancellationToken) is not { } seen)
        {
            return Problems.NotFound(await reads.WhyNotAsync(jobId, caller, cancellationToken));
        }

        if (!caller.MayCancel(seen.Principal))
        {
            return Results.Problem(
                title: "The roles of this key do not allow the request",
                detail: $"Job {jobId} belongs to {seen.Principal}; only that principal, operators and admins may cancel it.",
                statusCode: StatusCodes.Status403Forbidden
            );
        }

        var job = await cancel.CancelAsync(seen.JobId, caller.Subject(), cancellationToken);
        return job.State == JobState.Cancelled || job.CancelRequested
            ? Results.Accepted($"/api/jobs/{job.JobId}", new CancelAnswer(job.JobId, job.State, job.CancelRequested))
            : Problems.Conflict($"Job {job.JobId} is {WireNames.Of(job.State)}, which is final.");
    }

    /// <summary>No more than a buffer over the limit is read: enough to refuse it.</summary>
    private static async Task<ReadOnlyMemory<byte>> BodyAsync(HttpRequest request, int most, CancellationToken cancellationToken)
    {
        using var body = new MemoryStream();
        var buffer = new byte[16_384];
        int read;
        while (body.Length <= most && (read = await request.Body.ReadAsync(buffer, cancellationToken)) > 0)
        {
            body.Write(buffer, 0, read);
        }

        return body.ToArray();
    }

    private sealed record CancelAnswer(Guid JobId, JobState State, bool CancelRequested);
}
