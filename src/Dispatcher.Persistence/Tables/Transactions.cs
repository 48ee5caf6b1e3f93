using System.Data;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace Dispatcher.Persistence.Tables;

/// <summary>
/// The open transaction of the outbox. Code that finds it in the consume context must not save or commit: the outbox does.
/// </summary>
internal sealed record OutboxTransaction(IDbContextTransaction Transaction);

/// <summary>Begins and saves transactions of a <c>DbContext</c>.</summary>
internal static class Transactions
{
    /// <summary>
    /// Begins with read committed. That is enough, because rows are locked or claimed by key, and stricter levels only add serialization
    /// faults. SQLite begins as the one writer (BEGIN IMMEDIATE), so that no transaction fails later when it starts to write.
    /// </summary>
    public static Task<IDbContextTransaction> BeginAsync(this DbContext db, CancellationToken cancellationToken) =>
        db.Database.BeginTransactionAsync(IsolationLevel.ReadCommitted, cancellationToken);

    /// <summary>Whether the open transaction is that of the outbox for this message.</summary>
    public static bool BelongsToOutbox(this DbContext db, ConsumeContext context) =>
        db.Database.CurrentTransaction is { } current
        && context.TryGetPayload(out OutboxTransaction? outbox)
        && outbox.Transaction == current;

    /// <summary>
    /// Saves without the savepoint of EF Core, which would cost two round trips. Call it only right before a commit, because a failure ends
    /// the whole transaction.
    /// </summary>
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
