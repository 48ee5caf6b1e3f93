using System.Text.Json;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Enforcement;

/// <summary>
/// The last activation on the timeline. It confirms the row that says which bundle is in force; that row alone can be written by anybody
/// with rights on the table.
/// </summary>
/// <param name="EntryId">The entry.</param>
/// <param name="PolicyHash">The bundle it activated. Null: the entry cannot be read.</param>
/// <param name="Serial">The number of the activation. Null: it was written by an earlier version, or cannot be read.</param>
internal sealed record ActivationEvidence(long EntryId, string? PolicyHash, long? Serial)
{
    /// <summary>Reads the row and the entry in one statement: an activation writes both in one transaction.</summary>
    public static async Task<(BundleInForce? Row, ActivationEvidence? Witness)> ReadAsync(
        DispatcherDb db,
        CancellationToken cancellationToken
    )
    {
        var activations = db
            .Timeline.Where(entry => entry.JobId == Guid.Empty && entry.Kind == TimelineKinds.BundleActivated)
            .OrderByDescending(entry => entry.EntryId);
        var both = await db
            .ActiveBundle.AsNoTracking()
            .Select(row => new
            {
                Row = row,
                EntryId = activations.Select(entry => (long?)entry.EntryId).FirstOrDefault(),
                Detail = activations.Select(entry => entry.Detail).FirstOrDefault(),
            })
            .SingleOrDefaultAsync(cancellationToken);
        if (both is not null)
        {
            return (both.Row, both.EntryId is { } id ? Of(id, both.Detail!) : null);
        }

        var last = await activations.AsNoTracking().FirstOrDefaultAsync(cancellationToken);
        return (null, last is null ? null : Of(last.EntryId, last.Detail));
    }

    /// <summary>Why the row does not count, and what to do. Null: the timeline confirms it, or there is neither.</summary>
    public static string? WhyNot(BundleInForce? row, ActivationEvidence? witness)
    {
        const string Fix = "Find out who writes to the database, then put the right bundle in force: dispatcher policy activate HASH.";
        var seen = row is null ? "active_bundle is empty" : $"active_bundle names bundle {row.Hash}, serial {row.Serial}";
        var said = witness is null
            ? "the timeline has no activation"
            : $"the last activation, timeline entry {witness.EntryId}, is of bundle {witness.PolicyHash}, serial {witness.Serial}";
        var agree = (row is null) == (witness is null) && row?.Hash == witness?.PolicyHash && row?.Serial == witness?.Serial;
        return agree ? null : $"{seen}; {said}. {Fix}";
    }

    /// <summary>From an entry of kind <see cref="TimelineKinds.BundleActivated"/>.</summary>
    public static ActivationEvidence Of(long entryId, byte[] detail)
    {
        try
        {
            using var json = JsonDocument.Parse(detail);
            var root = json.RootElement;
            return new ActivationEvidence(
                entryId,
                root.TryGetProperty("policy_hash", out var hash) ? hash.GetString() : null,
                root.TryGetProperty("serial", out var serial) && serial.TryGetInt64(out var number) ? number : null
            );
        }
        catch (Exception unreadable) when (unreadable is JsonException or InvalidOperationException)
        {
            return new ActivationEvidence(entryId, null, null);
        }
    }
}
