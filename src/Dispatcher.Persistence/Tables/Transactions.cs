using System.Data;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace Dispatcher.Persistence.Tables;

/// <summary>The transaction that the outbox has open for a message: whoever finds it in the consume context leaves saving and committing to the outbox.</summary>
internal sealed record OutboxTransaction(IDbContextTransaction Transaction);

internal static class Transactions
{
    /// <summary>
    /// Read committed is enough: what must not change is locked by row or claimed by key, and stricter levels only add serialization faults. SQLite begins at
    /// once as the one writer (BEGIN IMMEDIATE), so that nobody fails later while turning from reader to writer.
    /// </summary>
    public static Task<IDbContextTransaction> BeginAsync(this DbContext db, CancellationToken cancellationToken) =>
        db.Database.BeginTransactionAsync(IsolationLevel.ReadCommitted, cancellationToken);

    public static bool BelongsToOutbox(this DbContext db, ConsumeContext context) =>
        db.Database.CurrentTransaction is { } current
        && context.TryGetPayload(out OutboxTransaction? outbox)
        && outbox.Transaction == current;

    /// <summary>Saves as the last thing before a commit: a failure ends the whole transaction, so that EF Core's savepoint would be two round trips for nothing.</summary>
    public static async Task SaveBeforeCommitAsync(this DbContext db, CancellationToken cancellationToken)
    {
        var savepoints = db.Database.AutoSavepointsEnabled;
        db.Database.AutoSavepointsEnabled = false;
        try
        {
            await db.SaveChangesAsync(cancellationToken);
        }
        finally
        {
            db.Database.AutoSavepointsEnabled = savepoints;
        }
    }
}
