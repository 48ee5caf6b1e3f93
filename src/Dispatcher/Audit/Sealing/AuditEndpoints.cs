using Dispatcher.Base;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Dispatcher.Web;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Audit.Sealing;

/// <summary>A checkpoint without its signature, which is in the checkpoint file and in an export.</summary>
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

/// <summary>The state of sealing.</summary>
/// <param name="Size">Number of seals.</param>
/// <param name="Head">Hash of the last seal, hexadecimal.</param>
/// <param name="Checkpoint">The last checkpoint in the store. Null: none.</param>
/// <param name="Unsealed">Number of entries that are not sealed yet.</param>
/// <param name="LagSeconds">Maximum age of the entries that are not sealed yet.</param>
/// <param name="Trouble">Why sealing needs a person. Null: sealing works.</param>
internal sealed record AuditView(long Size, string Head, CheckpointView? Checkpoint, long Unsealed, double LagSeconds, string? Trouble);

/// <summary><c>GET /api/audit</c>, for operators and admins.</summary>
internal static class AuditEndpoints
{
    /// <summary>
    /// Maximum number of entries that are counted, from the newest: unsealed entries are the newest, and a larger number need not be exact.
    /// </summary>
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
