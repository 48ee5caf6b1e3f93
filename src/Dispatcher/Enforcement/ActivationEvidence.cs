using System.Text.Json;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Enforcement;

/// <summary>
/// The last activation on the timeline. It must confirm the row that names the bundle in force, because every role with rights on the
/// table can write that row.
/// </summary>
/// <param name="EntryId">Id of the timeline entry.</param>
/// <param name="PolicyHash">Hash of the activated bundle. Null: the entry cannot be read.</param>
/// <param name="Serial">Number of the activation. Null: an earlier version wrote the entry, or it cannot be read.</param>
internal sealed record ActivationEvidence(long EntryId, string? PolicyHash, long? Serial)
{
    /// <summary>Reads the row and the entry in one statement, because an activation writes both in one transaction.</summary>
    public static async Task<(BundleInForce? Row, ActivationEvidence? Evidence)> ReadAsync(
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

    /// <summary>How the row contradicts the timeline, and how to fix it. Null: they agree, or neither exists.</summary>
    public static string? Contradiction(BundleInForce? row, ActivationEvidence? evidence)
    {
        const string Fix =
            "Find out which role writes to the database, then put the right bundle in force: dispatcher policy activate HASH.";
        var stored = row is null ? "active_bundle is empty" : $"active_bundle names bundle {row.Hash}, serial {row.Serial}";
        var recorded = evidence is null
            ? "the timeline has no activation"
            : $"the last activation, timeline entry {evidence.EntryId}, names bundle {evidence.PolicyHash}, serial {evidence.Serial}";
        var agree = (row is null) == (evidence is null) && row?.Hash == evidence?.PolicyHash && row?.Serial == evidence?.Serial;
        return agree ? null : $"{stored}; {recorded}. {Fix}";
    }

    /// <summary>Reads an entry of kind <see cref="TimelineKinds.BundleActivated"/>.</summary>
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
