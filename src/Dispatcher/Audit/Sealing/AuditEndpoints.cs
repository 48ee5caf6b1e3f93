using Dispatcher.Base;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Dispatcher.Web;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Audit.Sealing;

/// <summary>A checkpoint as it is shown; what signs it is in the file and in an export.</summary>
internal sealed record CheckpointView(long Size, string Root, DateTimeOffset At, string KeyId)
{
    public static CheckpointView? Of(TimelineCheckpoint? checkpoint) =>
        checkpoint is null
            ? null
            : new CheckpointView(
                checkpoint.Size,
                Convert.ToHexStringLower(checkpoint.Root),
                Timestamps.At(checkpoint.At),
                checkpoint.KeyId
            );
}

/// <summary>How sealing stands: the number of seals, the last one's hash, the last checkpoint in the store, and what a person should look at (null: nothing).</summary>
internal sealed record AuditView(long Size, string Head, CheckpointView? Checkpoint, long Unsealed, double LagSeconds, string? Trouble);

/// <summary><c>GET /api/audit</c>, for operators and admins.</summary>
internal static class AuditEndpoints
{
    /// <summary>What is not sealed is among the newest entries; more than this is a number that nobody needs exactly.</summary>
    private const int Newest = 10_000;

    public static void MapAudit(this IEndpointRouteBuilder routes) =>
        routes.MapGet("/api/audit", AuditAsync).RequireAuthorization(Callers.Operators).WithTags("audit").Produces<AuditView>();

    private static async Task<IResult> AuditAsync(
        SealTable table,
        Sealer sealer,
        IDbContextFactory<DispatcherDb> database,
        CancellationToken cancellationToken
    )
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var head = await table.HeadAsync(cancellationToken);
        var unsealed = await db
            .Timeline.OrderByDescending(entry => entry.EntryId)
            .Take(Newest)
            .CountAsync(entry => !db.Seals.Any(seal => seal.EntryId == entry.EntryId), cancellationToken);
        var checkpoint = await table.LastCheckpointAsync(keyId: null, cancellationToken);
        return Results.Ok(
            new AuditView(
                head.Seq,
                Convert.ToHexStringLower(head.Hash),
                CheckpointView.Of(checkpoint),
                unsealed,
                Math.Round(sealer.Lag.TotalSeconds, 1),
                sealer.Trouble
            )
        );
    }
}
