using Dispatcher.Audit.Sealing;
using Dispatcher.Audit.Verification;
using Dispatcher.Base;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Dispatcher.Audit.Retaining;

/// <summary>What a retention did, or with <c>--dry-run</c> would do.</summary>
/// <param name="From">First dropped day, in UTC. Null: no days were dropped.</param>
/// <param name="Before">First day after the dropped ones.</param>
/// <param name="Entries">Number of entries to drop.</param>
/// <param name="Kept">Number of entries of these days that stay: of no job, or of a job that ended later.</param>
/// <param name="Seq">Number of the last seal of these days.</param>
/// <param name="Head">Hash of that seal, hexadecimal.</param>
/// <param name="Deleted">Number of entries that were deleted, including those that an earlier retention left.</param>
internal sealed record RetentionReport(string? From, string? Before, long Entries, int Kept, long? Seq, string? Head, long Deleted);

/// <summary>
/// Drops the oldest days of the history. Its steps, each of which can be the last one before a crash:
/// <list type="number">
/// <item>verify the history, and select the days in the same snapshot;</item>
/// <item>append the closing checkpoint to the file;</item>
/// <item>commit the closing checkpoint and the signed statement;</item>
/// <item>wait until the statement is sealed;</item>
/// <item>delete whole jobs, some hundred in a transaction.</item>
/// </list>
/// Another run continues after a crash: it deletes what the last statement dropped.
/// </summary>
internal sealed class Retainer(
    NpgsqlDataSource database,
    IDbContextFactory<DispatcherDb> contexts,
    AuditFolder folder,
    TrustedCheckpoints trusted,
    TimeProvider time,
    int page = Retainer.Page
)
{
    /// <summary>Number of seals whose jobs are deleted in one transaction: some hundred jobs, in some milliseconds.</summary>
    private const int Page = 2_000;
    private const int SealBatch = 5_000;

    private readonly DroppedRows _rows = new(database, page);
    private readonly SealTable _seals = new(contexts);

    /// <summary>Drops the days that are older than <paramref name="age"/>.</summary>
    public async Task<RetentionReport> RunAsync(TimeSpan age, bool dryRun, CancellationToken cancellationToken)
    {
        if (await _rows.WhyNotAllowedAsync(cancellationToken) is { } why)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"Nothing was dropped: {why}.",
                "Connect as the role that runs \"dispatcher migrate\"."
            );
        }

        await using var alone =
            await _rows.TryLockAsync(cancellationToken)
            ?? throw new ExitException(ExitCode.No, "Another retain is running on this database.", "Wait until it has ended.");
        var (last, next) = await PlanAsync(age, cancellationToken);
        if (!dryRun && next is not null)
        {
            next = await StateAsync(next, cancellationToken);
        }

        var deleted = dryRun || (next ?? last) is not { } stated ? 0 : await DeleteAsync(stated, cancellationToken);
        var kept = next is null ? 0 : KeptNumbers.Read(next.Kept).Count;
        return new RetentionReport(next?.From, next?.Before, next?.Entries ?? 0, kept, next?.Size, next?.Head, deleted);
    }

    /// <summary>
    /// The last retention and the next one. Verifies the history, because a drop would hide earlier tampering.
    /// </summary>
    private async Task<(Retention? Last, Retention? Next)> PlanAsync(TimeSpan age, CancellationToken cancellationToken)
    {
        await using var history = await StoreHistory.OpenAsync(contexts, cancellationToken);
        var check = new HistoryCheck(trusted);
        var report = await check.RunAsync(history, cancellationToken);
        if (!report.Ok)
        {
            throw new ExitException(
                ExitCode.No,
                "Nothing was dropped, because the history is not intact: "
                    + $"{report.Finding?.Message ?? report.IncompleteJobs[0].Message}.",
                "Run \"dispatcher audit verify\" for all findings. If it is a key that is missing, give its public key with --key."
            );
        }

        await using var clock = history.Command($"select {PostgresStatements.Now}");
        var now = (long)(await clock.ExecuteScalarAsync(cancellationToken))!;
        var plan = new RetentionPlan(history, check.Retention);
        return (check.Retention, await plan.MakeAsync(Timestamps.At(now) - age, now, cancellationToken));
    }

    /// <summary>Writes the closing checkpoint, file first, and the statement. Returns it signed.</summary>
    private async Task<Retention> StateAsync(Retention next, CancellationToken cancellationToken)
    {
        var checkpoint = folder.Key.Sign(
            new TimelineCheckpoint
            {
                Size = next.Size,
                KeyId = folder.Key.Id,
                Origin = next.Origin,
                Root = Convert.FromHexString(next.Root),
                Head = next.HeadHash(),
                At = next.At,
                Frontier = next.Frontier,
            }
        );
        var retention = folder.Key.Sign(next);
        folder.Append(checkpoint);
        await _rows.WriteAsync(checkpoint, retention, cancellationToken);
        return retention;
    }

    /// <summary>
    /// Deletes after the statement is sealed, so that the last seal is never deleted and every sealer has seen the statement. Returns the
    /// number of deleted entries.
    /// </summary>
    private async Task<long> DeleteAsync(Retention retention, CancellationToken cancellationToken)
    {
        var range = new SealRange(await _seals.StartAsync(time.GetUtcNow(), cancellationToken), []);
        while (!await _rows.IsSealedAsync(retention, cancellationToken))
        {
            switch (await _seals.SealAsync(range, SealBatch, cancellationToken))
            {
                case null:
                    // A server seals at this moment.
                    await Task.Delay(TimeSpan.FromMilliseconds(100), time, cancellationToken);
                    break;
                case { Entries.Count: 0 }:
                    // An earlier retention wrote the statement, and nothing sealed it: read all entries.
                    range = new SealRange(long.MinValue, []);
                    break;
            }
        }

        var (deleted, after) = (0L, (long?)0L);
        while (after is { } seq)
        {
            var began = time.GetTimestamp();
            (after, var entries) = await _rows.DeleteAsync(retention.Size, seq, cancellationToken);
            deleted += entries;

            // As long as the batch took: a running server gets at least half of the time, for its work and for sealing.
            await Task.Delay(time.GetElapsedTime(began), time, cancellationToken);
        }

        return deleted;
    }
}
