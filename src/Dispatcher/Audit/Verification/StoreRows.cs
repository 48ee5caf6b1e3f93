using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text.Json;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Audit.Verification;

/// <summary>
/// Compares every row that the timeline records with its entries, page by page, in the snapshot of the context. Such rows are
/// deleted only together with their entries: a missing row is a finding.
/// </summary>
internal sealed class StoreRows(DispatcherDb db)
{
    /// <summary>Maximum number of payloads and results in memory at once.</summary>
    private const int Page = 100;

    private static readonly string[] Submissions = [.. TimelineKinds.Intake, TimelineKinds.Refused];

    private delegate Task<List<IncompleteJob>> Comparison(List<Guid> ids, CancellationToken cancellationToken);

    public async IAsyncEnumerable<IncompleteJob> CompareAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        IAsyncEnumerable<IncompleteJob>[] comparisons =
        [
            BundlesAsync(cancellationToken),
            RowsAsync(db.Jobs.Select(job => job.JobId), JobsAsync, "jobs", cancellationToken),
            RowsAsync(db.Denials.Select(denial => denial.JobId), DenialsAsync, "denials", cancellationToken),
            RowsAsync(
                db.DeadLetters.Where(letter => letter.JobId == null).Select(letter => letter.DeadLetterId),
                RefusedAsync,
                "dead_letters",
                cancellationToken
            ),
            OrphansAsync(cancellationToken),
            MissingAsync(cancellationToken),
        ];
        foreach (var comparison in comparisons)
        {
            await foreach (var gap in comparison)
            {
                yield return gap;
            }
        }
    }

    /// <summary>Pages over the ids of a table. An unreadable row is a finding and does not hide the others.</summary>
    private static async IAsyncEnumerable<IncompleteJob> RowsAsync(
        IQueryable<Guid> ids,
        Comparison compare,
        string table,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        var after = Guid.Empty;
        List<Guid> page;
        do
        {
            page = await ids.Where(id => id.CompareTo(after) > 0).OrderBy(id => id).Take(Page).ToListAsync(cancellationToken);
            foreach (var gap in await TryAsync(page, compare, table, cancellationToken))
            {
                yield return gap;
            }

            after = page.Count > 0 ? page[^1] : after;
        } while (page.Count == Page);
    }

    private static async Task<List<IncompleteJob>> TryAsync(
        List<Guid> ids,
        Comparison compare,
        string table,
        CancellationToken cancellationToken
    )
    {
        try
        {
            return await compare(ids, cancellationToken);
        }
        catch (Exception unreadable)
            when (unreadable
                    is JsonException
                        or KeyNotFoundException
                        or FormatException
                        or InvalidCastException
                        or InvalidOperationException
            )
        {
            if (ids is [var id])
            {
                return [new IncompleteJob(Gap.RowDiffers, id, null, 0, $"the row of {table} cannot be read: {unreadable.Message}")];
            }

            var gaps = new List<IncompleteJob>();
            foreach (var one in ids)
            {
                gaps.AddRange(await TryAsync([one], compare, table, cancellationToken));
            }

            return gaps;
        }
    }

    private async Task<List<IncompleteJob>> JobsAsync(List<Guid> ids, CancellationToken cancellationToken)
    {
        var jobs = await db.Jobs.AsNoTracking().Where(job => ids.Contains(job.JobId)).ToListAsync(cancellationToken);
        var approvals = (
            await db
                .Approvals.AsNoTracking()
                .Where(approval => ids.Contains(approval.JobId))
                .OrderBy(approval => approval.Round)
                .ToListAsync(cancellationToken)
        ).ToLookup(approval => approval.JobId);
        var letters = (
            await db
                .DeadLetters.AsNoTracking()
                .Where(letter => letter.JobId != null && ids.Contains(letter.JobId.Value))
                .ToListAsync(cancellationToken)
        ).ToLookup(letter => letter.JobId!.Value);
        var entries = await EntriesAsync(ids, cancellationToken);
        return [.. jobs.SelectMany(job => JobRowCheck.Of(Stored(job.JobId, job)))];

        AuditedJob Stored(Guid id, Job job) => new(job, [.. approvals[id]], [.. letters[id]], [.. entries[id]]);
    }

    private async Task<List<IncompleteJob>> DenialsAsync(List<Guid> ids, CancellationToken cancellationToken)
    {
        var denials = await db.Denials.AsNoTracking().Where(denial => ids.Contains(denial.JobId)).ToListAsync(cancellationToken);
        var entries = await EntriesAsync(ids, cancellationToken);
        return [.. denials.SelectMany(denial => Compare(denial, entries[denial.JobId].FirstOrDefault(Denied)))];

        static bool Denied(AuditedEntry entry) =>
            entry is { Kind: TimelineKinds.Denied, Detail: { HasAnswer: true, IsDeniedWithoutBundle: false } };
    }

    private static IEnumerable<IncompleteJob> Compare(Denial denial, AuditedEntry? entry)
    {
        if (entry is null)
        {
            const string Unknown = "the denial has a row, but no entry of intake denied the job";
            return [new IncompleteJob(Gap.RowWithoutEntry, denial.JobId, null, 0, Unknown)];
        }

        var payload = denial.Payload is null ? entry.Detail.PayloadSha256 : Convert.ToHexStringLower(SHA256.HashData(denial.Payload));
        (string Column, string? Seen, string? Expected)[] columns =
        [
            ("job_hash", denial.JobHash, entry.Detail.JobHash),
            ("policy_hash", denial.PolicyHash, entry.Detail.PolicyHash),
            ("principal", denial.Principal, entry.Stored.Actor),
            ("payload", payload, entry.Detail.PayloadSha256),
        ];
        return columns
            .Where(column => column.Seen != column.Expected)
            .Select(column =>
                entry.Gap(Gap.RowDiffers, $"denials.{column.Column} differs from what intake recorded", column.Seen, column.Expected)
            );
    }

    private async Task<List<IncompleteJob>> RefusedAsync(List<Guid> ids, CancellationToken cancellationToken)
    {
        var letters = await db.DeadLetters.AsNoTracking().Where(letter => ids.Contains(letter.DeadLetterId)).ToListAsync(cancellationToken);
        var entries = await EntriesAsync(ids, cancellationToken);
        return [.. letters.Select(letter => DeadLetterCheck.OfRefused(letter, Refused(letter))).OfType<IncompleteJob>()];

        AuditedEntry? Refused(DeadLetter letter) =>
            entries[letter.DeadLetterId].FirstOrDefault(entry => entry.Kind == TimelineKinds.Refused);
    }

    private async Task<ILookup<Guid, AuditedEntry>> EntriesAsync(List<Guid> ids, CancellationToken cancellationToken)
    {
        var rows = await db
            .Timeline.AsNoTracking()
            .Where(entry => ids.Contains(entry.JobId))
            .LeftJoin(db.Seals, entry => entry.EntryId, seal => seal.EntryId, (entry, seal) => new { entry, Seq = (long?)seal!.Seq })
            .OrderBy(row => row.entry.EntryId)
            .ToListAsync(cancellationToken);
        return rows.ToLookup(row => row.entry.JobId, row => new AuditedEntry(row.Seq, row.entry));
    }

    /// <summary>Approvals and dead letters of jobs without a row.</summary>
    private async IAsyncEnumerable<IncompleteJob> OrphansAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var approvals = db.Approvals.Where(approval => !db.Jobs.Any(job => job.JobId == approval.JobId)).Select(approval => approval.JobId);
        var letters = db
            .DeadLetters.Where(letter => letter.JobId != null && !db.Jobs.Any(job => job.JobId == letter.JobId))
            .Select(letter => letter.JobId!.Value);
        foreach (var (table, orphans) in new[] { ("approvals", approvals), ("dead_letters", letters) })
        {
            foreach (var jobId in await orphans.ToListAsync(cancellationToken))
            {
                yield return new IncompleteJob(Gap.RowWithoutEntry, jobId, null, 0, $"{table} has a row of a job without a row in jobs");
            }
        }
    }

    /// <summary>Submissions that intake stored and whose row is missing.</summary>
    private async IAsyncEnumerable<IncompleteJob> MissingAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var gone = db
            .Timeline.AsNoTracking()
            .Where(entry =>
                entry.Attempt == 0
                && Submissions.Contains(entry.Kind)
                && !db.Jobs.Any(job => job.JobId == entry.JobId)
                && !db.Denials.Any(denial => denial.JobId == entry.JobId)
                && !db.DeadLetters.Any(letter => letter.DeadLetterId == entry.JobId)
            );
        await foreach (var entry in gone.OrderBy(entry => entry.EntryId).AsAsyncEnumerable().WithCancellation(cancellationToken))
        {
            var audited = new AuditedEntry(null, entry);
            if (!audited.Detail.IsDeniedWithoutBundle && (audited.Detail.HasAnswer || entry.Kind == TimelineKinds.Refused))
            {
                var table = entry.Kind switch
                {
                    TimelineKinds.Denied => "denials",
                    TimelineKinds.Refused => "dead_letters",
                    _ => "jobs",
                };
                var missing = $"\"{entry.Kind}\" was recorded (entry {entry.EntryId}), but its row in {table} is missing";
                yield return audited.Gap(Gap.RowMissing, missing);
            }
        }
    }

    private async IAsyncEnumerable<IncompleteJob> BundlesAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (row, evidence) = await ActivationEvidence.ReadAsync(db, cancellationToken);
        if (ActivationEvidence.Contradiction(row, evidence) is { } why)
        {
            yield return new IncompleteJob(Gap.RowDiffers, Guid.Empty, null, 0, why) { Seen = row?.Hash, Expected = evidence?.PolicyHash };
        }

        var activations = await db
            .Timeline.AsNoTracking()
            .Where(entry => entry.JobId == Guid.Empty && entry.Kind == TimelineKinds.BundleActivated)
            .ToListAsync(cancellationToken);
        var activated = activations.Select(entry => EntryDetail.Of(entry).PolicyHash).ToHashSet(StringComparer.Ordinal);
        var stored = (await db.Bundles.Select(bundle => bundle.Hash).ToListAsync(cancellationToken)).ToHashSet(StringComparer.Ordinal);
        foreach (var hash in stored.Where(hash => !activated.Contains(hash)))
        {
            yield return new IncompleteJob(Gap.RowWithoutEntry, Guid.Empty, null, 0, $"bundle {hash} has a row, but no entry activated it");
        }

        foreach (var hash in activated.Where(hash => hash is not null && !stored.Contains(hash)))
        {
            yield return new IncompleteJob(Gap.RowMissing, Guid.Empty, null, 0, $"bundle {hash} was activated, but its row is missing");
        }
    }
}
