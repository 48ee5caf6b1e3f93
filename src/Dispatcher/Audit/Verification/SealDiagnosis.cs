using Dispatcher.Audit.Sealing;
using Dispatcher.Jobs;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Audit.Verification;

/// <summary>
/// Finds how the first bad entry was tampered with, by trying which change makes it and a later entry match their seals. Pure.
/// </summary>
internal static class SealDiagnosis
{
    /// <summary>Maximum number of rows removed or inserted at one position, with the later ones renumbered, that is recognised.</summary>
    private const int MaxShift = 64;

    /// <summary>Returns a better finding for the first bad entry, from a later one. Null: the later one shows nothing.</summary>
    public static Finding? FromLater(SealLink suspect, SealLink link)
    {
        var (step, position) = (link.Step!, link.Position);
        if (step.Entry is null)
        {
            return null;
        }

        if (position.Seq == suspect.Position.Seq + 1)
        {
            if (FromShift(suspect, link) is { } shifted)
            {
                return shifted;
            }

            var sealedHash = SealHash.Of(suspect.Step!.Entry!, suspect.Position);
            var ofSameJob = position.JobPrevious == suspect.Position.Seq;
            if (link.Fits(position with { Previous = sealedHash, JobPreviousHash = ofSameJob ? sealedHash : position.JobPreviousHash }))
            {
                return suspect.Finding(
                    Tampering.Altered,
                    $"the hash of its seal was changed; entry {suspect.Step.Entry!.EntryId} itself is unchanged"
                );
            }
        }

        return AreSwapped(suspect, link)
            ? suspect.Finding(
                Tampering.Reordered,
                $"entry {suspect.Step!.Entry!.EntryId} is at {suspect.Position.Seq}, and entry {step.Entry.EntryId} at {position.Seq}: "
                    + "they were swapped"
            )
            : null;
    }

    /// <summary>
    /// The entries from the bad one on match under other numbers: rows before it were removed or inserted, and the rest renumbered.
    /// </summary>
    private static Finding? FromShift(SealLink suspect, SealLink link)
    {
        var position = link.Position;
        for (var shift = 1; shift <= MaxShift; shift++)
        {
            // The previous entry of the job may be the entry just before; that one was sealed under its old number.
            var ofSameJob = position.JobPrevious == suspect.Position.Seq + shift;
            if (
                link.Fits(
                    position with
                    {
                        Seq = position.Seq + shift,
                        JobPreviousHash = ofSameJob ? suspect.Hash : position.JobPreviousHash,
                    }
                )
            )
            {
                return suspect.Finding(
                    Tampering.Missing,
                    $"{shift} entr{(shift == 1 ? "y that was" : "ies that were")} sealed from number {suspect.Position.Seq} on "
                        + $"{(shift == 1 ? "is" : "are")} missing; the entries after were renumbered"
                );
            }
        }

        return link.Fits(position with { Seq = position.Seq - 1, Previous = suspect.Position.Previous }) && !MatchesAfterNext(suspect, link)
            ? suspect.Finding(
                Tampering.Inserted,
                $"entry {suspect.Step!.Entry!.EntryId} was inserted between two entries that were sealed one after the other"
            )
            : null;
    }

    /// <summary>Whether the bad entry matches after the one that now follows it. Then it was moved and not inserted.</summary>
    private static bool MatchesAfterNext(SealLink suspect, SealLink link) =>
        SealLink.Matches(
            suspect.Step!.Entry!,
            suspect.Position with
            {
                Seq = link.Position.Seq,
                Previous = link.Hash,
                JobPreviousHash = suspect.Position.JobPrevious == suspect.Position.Seq ? link.Hash : suspect.Position.JobPreviousHash,
            },
            suspect.Hash
        );

    /// <summary>Whether two entries were swapped: their contents, their ids or their seals.</summary>
    private static bool AreSwapped(SealLink suspect, SealLink link)
    {
        var (there, here) = (suspect.Step!.Entry!, link.Step!.Entry!);
        return SealLink.Matches(here, suspect.Position, suspect.Hash)
            || SealLink.Matches(here with { EntryId = there.EntryId }, suspect.Position, suspect.Hash)
            || SealLink.Matches(here, link.Position with { Seq = suspect.Position.Seq, Previous = suspect.Position.Previous }, link.Hash);
    }

    /// <summary>Returns the finding if the missing entry exists under another id: the id of the entry or of its seal was changed.</summary>
    public static Finding? Renamed(SealLink suspect, TimelineSeal seal, TimelineEntry entry) =>
        SealLink.Matches(entry with { EntryId = seal.EntryId }, suspect.Position, suspect.Hash)
            ? suspect.Finding(Tampering.Altered, $"the id of entry {seal.EntryId} was changed to {entry.EntryId}")
        : SealLink.Matches(entry, suspect.Position, suspect.Hash)
            ? suspect.Finding(Tampering.Altered, $"seal {seal.Seq} was changed to name entry {seal.EntryId} instead of {entry.EntryId}")
        : null;
}

/// <summary>An entry of the history at its position.</summary>
/// <param name="Step">The entry and its seal. Null: the position before the first entry.</param>
/// <param name="Position">The position that the seal must match.</param>
/// <param name="IsSound">Whether the entry matches its seal, or cannot be checked.</param>
internal sealed record SealLink(HistoryEntry? Step, SealPosition Position, bool IsSound)
{
    /// <summary>The hash of the seal. Empty: there is no seal.</summary>
    public byte[] Hash => Step?.Seal?.Hash ?? [];

    /// <summary>Whether the entry, at this position, has the hash of its seal.</summary>
    public bool Fits(SealPosition position) => Matches(Step!.Entry!, position, Hash);

    public static bool Matches(TimelineEntry entry, SealPosition position, byte[] hash) =>
        SealHash.Of(entry, position).AsSpan().SequenceEqual(hash);

    public Finding Finding(Tampering kind, string message) =>
        new()
        {
            Kind = kind,
            Seq = Position.Seq,
            EntryId = Step?.Seal?.EntryId,
            JobId = Step?.Seal?.JobId,
            Message = message,
        };
}
