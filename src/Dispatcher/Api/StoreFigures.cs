using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Api;

/// <summary>
/// What waits in the store at one moment: held approvals, the outbox, dead letters and due jobs. Times are microseconds since 1970; null:
/// nothing waits. Each query finds its rows by an index; the counts of dead letters read every open one.
/// </summary>
/// <param name="At">When they were measured, by the database's clock.</param>
/// <param name="Approvals">Approvals that wait for votes.</param>
/// <param name="Outbox">Messages that wait to be sent.</param>
/// <param name="DeadLetters">Open dead letters by owner.</param>
/// <param name="OldestDueAt">The earliest time that has passed at which the sweep had to check a live job.</param>
/// <param name="BundleActivatedAt">When the bundle in force was activated.</param>
internal sealed record StoreFigures(
    long At,
    HeldApprovals Approvals,
    OutboxFigures Outbox,
    IReadOnlyList<OwnersDeadLetters> DeadLetters,
    long? OldestDueAt,
    long? BundleActivatedAt
)
{
    public static async Task<StoreFigures> ReadAsync(DispatcherDb db, long now, CancellationToken cancellationToken) =>
        new(
            now,
            await ApprovalsAsync(db, cancellationToken),
            await OutboxAsync(db, cancellationToken),
            await DeadLettersAsync(db, now - AlertLimits.NewDeadLetterUs, cancellationToken),
            await db
                .Jobs.Where(job => job.DueAt <= now)
                .OrderBy(job => job.DueAt)
                .Select(job => job.DueAt)
                .FirstOrDefaultAsync(cancellationToken),
            await db.ActiveBundle.Select(bundle => (long?)bundle.ActivatedAt).SingleOrDefaultAsync(cancellationToken)
        );

    /// <summary>
    /// The number of live jobs by state, and of the jobs that ended since <paramref name="ended"/>. Older ones are not counted, because
    /// their number has no limit.
    /// </summary>
    public static async Task<IReadOnlyDictionary<JobState, int>> JobsAsync(DispatcherDb db, long ended, CancellationToken cancellationToken)
    {
        // Each of the first two has the condition of a partial index.
        IQueryable<Job>[] parts =
        [
            db.Jobs.Where(job =>
                job.State == JobState.Accepted
                || job.State == JobState.Approved
                || job.State == JobState.Retrying
                || job.State == JobState.Held
            ),
            db.Jobs.Where(job => job.State == JobState.Dispatched || job.State == JobState.Running),
            db.Jobs.Where(job => job.FinishedAt >= ended),
        ];
        var counts = new Dictionary<JobState, int>();
        foreach (var part in parts)
        {
            var states = await part.GroupBy(job => job.State)
                .Select(group => new { group.Key, Count = group.Count() })
                .ToListAsync(cancellationToken);
            states.ForEach(state => counts[state.Key] = state.Count);
        }

        return counts;
    }

    private static async Task<HeldApprovals> ApprovalsAsync(DispatcherDb db, CancellationToken cancellationToken)
    {
        var held = db
            .Approvals.Where(approval => approval.State == ApprovalStates.Held)
            .OrderBy(approval => approval.CreatedAt)
            .Select(approval => (long?)approval.CreatedAt);
        var count = await held.CountAsync(cancellationToken);
        return new HeldApprovals(
            count,
            await held.FirstOrDefaultAsync(cancellationToken),
            await held.Skip(count / 2).FirstOrDefaultAsync(cancellationToken)
        );
    }

    private static async Task<OutboxFigures> OutboxAsync(DispatcherDb db, CancellationToken cancellationToken)
    {
        var waiting = await db.Outbox.LongCountAsync(message => !message.Parked, cancellationToken);
        var parked = await db.Outbox.LongCountAsync(message => message.Parked, cancellationToken);
        // An id of version 7 begins with the time at which it was made. Ids of other versions come from clients, and are few.
        var oldest = await db
            .Database.SqlQueryRaw<Guid>(
                """
                select message_id as "Value" from outbox
                where not parked and substr(cast(message_id as text), 15, 1) = '7' order by message_id limit 1
                """
            )
            .ToListAsync(cancellationToken);
        return new OutboxFigures(waiting, parked, oldest.Count == 0 ? null : MadeAt(oldest[0]));
    }

    private static async Task<IReadOnlyList<OwnersDeadLetters>> DeadLettersAsync(
        DispatcherDb db,
        long newSince,
        CancellationToken cancellationToken
    ) =>
        await db
            .DeadLetters.GroupBy(letter => letter.Owner)
            .OrderBy(group => group.Key)
            .Select(group => new OwnersDeadLetters(
                group.Key,
                group.LongCount(),
                group.LongCount(letter => letter.At > newSince),
                group.Min(letter => letter.At)
            ))
            .ToListAsync(cancellationToken);

    /// <summary>The first 48 bits of the id are milliseconds since 1970 (RFC 9562, 5.7).</summary>
    internal static long MadeAt(Guid id)
    {
        Span<byte> bytes = stackalloc byte[16];
        id.TryWriteBytes(bytes, bigEndian: true, out _);
        var milliseconds = 0L;
        foreach (var part in bytes[..6])
        {
            milliseconds = (milliseconds << 8) | part;
        }

        return milliseconds * 1_000;
    }
}

/// <summary>Approvals that wait for votes.</summary>
internal sealed record HeldApprovals(int Count, long? OldestAt, long? MedianAt);

/// <summary>Messages of the outbox.</summary>
/// <param name="Waiting">Those that are not parked.</param>
/// <param name="Parked">Those that the server stopped trying to send.</param>
/// <param name="OldestAt">When the oldest of the waiting ones was made.</param>
internal sealed record OutboxFigures(long Waiting, long Parked, long? OldestAt);

/// <summary>The open dead letters of an owner.</summary>
/// <param name="Owner">The owner of their topics.</param>
/// <param name="Count">How many are open.</param>
/// <param name="New">Those of the last <see cref="AlertLimits.NewDeadLetter"/>.</param>
/// <param name="OldestAt">The time of the oldest.</param>
internal sealed record OwnersDeadLetters(string Owner, long Count, long New, long OldestAt);
