using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Dispatcher.Web;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Api;

/// <summary>A dead letter as the API shows it.</summary>
internal sealed record DeadLetterView(
    Guid DeadLetterId,
    DateTimeOffset At,
    string FaultClass,
    string Owner,
    string Topic,
    string Principal,
    Guid? JobId,
    int Attempt,
    Fault? Fault,
    IReadOnlyList<InputError> Errors,
    string? BodyBase64,
    int BodyLength,
    string? BodySha256
)
{
    public static DeadLetterView Of(DeadLetter letter, bool withBody) =>
        new(
            letter.DeadLetterId,
            Timestamps.At(letter.At),
            letter.FaultClass,
            letter.Owner,
            letter.Topic,
            letter.Principal,
            letter.JobId,
            letter.Attempt,
            letter.Fault,
            letter.Errors,
            withBody && letter.Body is not null ? Convert.ToBase64String(letter.Body) : null,
            letter.BodyLength,
            letter.BodySha256
        );
}

/// <summary><c>/api/dead-letters</c>, for operators: newest first. Only a single dead letter includes its kept bytes.</summary>
internal static class DeadLetterEndpoints
{
    public static void MapDeadLetters(this IEndpointRouteBuilder routes)
    {
        var letters = routes.MapGroup("/api/dead-letters").RequireAuthorization(Callers.Operators).WithTags("dead letters");
        letters.MapGet("", ListAsync).Produces<Page<DeadLetterView>>().ProducesProblem(StatusCodes.Status400BadRequest);
        letters.MapGet("/{id:guid}", ShowAsync).Produces<DeadLetterView>();
    }

    private static async Task<IResult> ListAsync(
        IDbContextFactory<DispatcherDb> database,
        string? cursor,
        int limit = 50,
        CancellationToken cancellationToken = default
    )
    {
        var errors = new List<InputError>();
        var page = Paging.Read(cursor, limit, errors);
        if (errors.Count > 0)
        {
            return Problems.Malformed(errors);
        }

        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var letters = db.DeadLetters.AsNoTracking();
        if (page.After is var (at, id))
        {
            letters = letters.Where(letter => letter.At < at || (letter.At == at && letter.DeadLetterId.CompareTo(id) < 0));
        }

        var newest = letters.OrderByDescending(letter => letter.At).ThenByDescending(letter => letter.DeadLetterId).Take(page.Limit);
        var rows = await newest
            .Select(letter => new DeadLetter
            {
                // All columns but the kept bytes, which have up to 64 KiB each.
                DeadLetterId = letter.DeadLetterId,
                At = letter.At,
                FaultClass = letter.FaultClass,
                Owner = letter.Owner,
                Topic = letter.Topic,
                Principal = letter.Principal,
                JobId = letter.JobId,
                Attempt = letter.Attempt,
                Fault = letter.Fault,
                Errors = letter.Errors,
                BodyLength = letter.BodyLength,
                BodySha256 = letter.BodySha256,
            })
            .ToListAsync(cancellationToken);
        return Results.Ok(
            page.Of(rows, letter => DeadLetterView.Of(letter, withBody: false), letter => new Cursor(letter.At, letter.DeadLetterId))
        );
    }

    private static async Task<IResult> ShowAsync(Guid id, IDbContextFactory<DispatcherDb> database, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        return
            await db.DeadLetters.AsNoTracking().SingleOrDefaultAsync(letter => letter.DeadLetterId == id, cancellationToken) is { } letter
            ? Results.Ok(DeadLetterView.Of(letter, withBody: true))
            : Problems.NotFound($"Dead letter {id} does not exist.");
    }
}
