using Dispatcher.Audit.Sealing;
using Dispatcher.Base;
using Dispatcher.Jobs;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Audit.Verification;

/// <summary>
/// Follows the seals from the first to the last and names the first one that does not fit, and how. Keeps three lines in memory, not the history: what happened shows
/// in how the lines after the bad one fit, or in where its content stands instead.
/// </summary>
internal sealed class SealCheck
{
    /// <summary>How many rows that are missing or too many at one place, with the later ones renumbered, are recognised as such.</summary>
    private const int LargestShift = 64;

    /// <summary>
    /// No statement of the dispatcher takes longer than its time-out of 30 s. So an entry with a lower id and an older time than others that were sealed before was not
    /// there when they were.
    /// </summary>
    private static readonly long LongestStatement = Timestamps.Micros(TimeSpan.FromMinutes(1));

    private Link? _before;
    private Link _last = new(null, new SealPlace(0, [], 0, []), IsSound: true);
    private Link? _suspect;
    private (long Entry, long At) _largest;

    /// <summary>The first bad entry so far. Null: everything fits.</summary>
    public Finding? First { get; private set; }

    /// <summary>Lines that do not fit. After the first they may be its consequence.</summary>
    public long Bad { get; private set; }

    public long Sealed { get; private set; }

    public long Unsealed { get; private set; }

    /// <summary>When the oldest entry that is not sealed was written.</summary>
    public long? OldestUnsealed { get; private set; }

    /// <summary>Whether every number from 1 was there.</summary>
    public bool HasEveryNumber { get; private set; } = true;

    public void Add(HistoryEntry line)
    {
        if (line.Seal is { } seal)
        {
            AddSealed(line, seal);
        }
        else if (line.Entry is { } entry)
        {
            AddUnsealed(entry);
        }
    }

    private void AddSealed(HistoryEntry line, TimelineSeal seal)
    {
        Sealed++;
        var numbered = CheckNumber(seal);
        var place = new SealPlace(seal.Seq, _last.Hash, seal.JobPrevious, line.JobPreviousHash);
        var link = new Link(line, place, IsSound: !numbered || (line.Entry is { } entry && Fits(line, place) && entry.JobId == seal.JobId));
        if (line.Entry is null)
        {
            Report(link, Tampering.Missing, $"entry {seal.EntryId} was sealed as number {seal.Seq} and is not there");
        }
        else if (!link.IsSound)
        {
            Misfit(link, line.Entry, seal);
        }
        else
        {
            Sound(line.Entry, seal.Seq);
        }

        (_before, _last) = (_last, link);
    }

    /// <summary>False: the hash of the seal before is not there, so that this one cannot be checked.</summary>
    private bool CheckNumber(TimelineSeal seal)
    {
        var expected = _last.Place.Seq + 1;
        if (seal.Seq == expected)
        {
            return true;
        }

        HasEveryNumber = false;
        Bad++;
        First ??=
            seal.Seq < expected
                ? new Finding
                {
                    Kind = Tampering.Inserted,
                    Seq = seal.Seq,
                    EntryId = seal.EntryId,
                    JobId = seal.JobId,
                    Message = $"seal {seal.Seq} stands where {expected} is due: numbers begin with 1",
                }
                : new Finding
                {
                    Kind = Tampering.Missing,
                    Seq = expected,
                    Message = $"seal {expected} is not there: after {expected - 1} comes {seal.Seq}, of entry {seal.EntryId}",
                };
        return false;
    }

    private void Misfit(Link link, TimelineEntry entry, TimelineSeal seal)
    {
        Bad++;
        if (First is null && Fits(link.Line!, link.Place))
        {
            First = Of(link, Tampering.Altered, $"the job of seal {seal.Seq} is not that of entry {entry.EntryId}");
        }
        else if (First is null)
        {
            First = FromBefore(link, entry);
            _suspect = First is null ? link : null;
            First ??= Of(link, Tampering.Altered, $"entry {entry.EntryId} ({entry.Kind}, attempt {entry.Attempt}) is not as it was sealed");
        }
        else if (_suspect is { Line.Entry: not null } suspect && FromLater(suspect, link) is { } better)
        {
            (First, _suspect) = (better, null);
        }
    }

    /// <summary>The line before fitted, and this one fits where that one stands: that one was put between.</summary>
    private Finding? FromBefore(Link link, TimelineEntry entry) =>
        _before is { } before
        && _last.Line is not null
        && SealHash.Of(entry, link.Place with { Seq = link.Place.Seq - 1, Previous = before.Hash }).AsSpan().SequenceEqual(link.Hash)
            ? Of(_last, Tampering.Inserted, $"entry {_last.Line.Entry?.EntryId} stands between two that were sealed one after the other")
            : null;

    /// <summary>What a later line tells of the first bad one. Null: nothing.</summary>
    private static Finding? FromLater(Link suspect, Link link)
    {
        var (line, place) = (link.Line!, link.Place);
        if (line.Entry is null)
        {
            return null;
        }

        if (place.Seq == suspect.Place.Seq + 1)
        {
            if (FromShift(suspect, link) is { } shifted)
            {
                return shifted;
            }

            var sealedHash = SealHash.Of(suspect.Line!.Entry!, suspect.Place);
            var ofSameJob = place.JobPrevious == suspect.Place.Seq;
            if (Fits(line, place with { Previous = sealedHash, JobPreviousHash = ofSameJob ? sealedHash : place.JobPreviousHash }))
            {
                return Of(
                    suspect,
                    Tampering.Altered,
                    $"its seal's hash is not what was sealed; entry {suspect.Line.Entry!.EntryId} itself is as it was"
                );
            }
        }

        return AreSwapped(suspect, link)
            ? Of(
                suspect,
                Tampering.Reordered,
                $"entry {suspect.Line!.Entry!.EntryId} stands at {suspect.Place.Seq}, and entry {line.Entry.EntryId} at {place.Seq}: they changed places"
            )
            : null;
    }

    /// <summary>From the bad line on everything fits under other numbers: rows were taken out or put in before it, and the rest renumbered.</summary>
    private static Finding? FromShift(Link suspect, Link link)
    {
        var (line, place) = (link.Line!, link.Place);
        for (var shift = 1; shift <= LargestShift; shift++)
        {
            // The job's line before may be the one before: it was sealed under its number of then.
            var ofSameJob = place.JobPrevious == suspect.Place.Seq + shift;
            if (Fits(line, place with { Seq = place.Seq + shift, JobPreviousHash = ofSameJob ? suspect.Hash : place.JobPreviousHash }))
            {
                return Of(
                    suspect,
                    Tampering.Missing,
                    $"{shift} entr{(shift == 1 ? "y that was" : "ies that were")} sealed from number {suspect.Place.Seq} on {(shift == 1 ? "is" : "are")} not there; what comes after was renumbered"
                );
            }
        }

        return Fits(line, place with { Seq = place.Seq - 1, Previous = suspect.Place.Previous }) && !FollowsItsFollower(suspect, link)
            ? Of(
                suspect,
                Tampering.Inserted,
                $"entry {suspect.Line!.Entry!.EntryId} stands between two that were sealed one after the other"
            )
            : null;
    }

    /// <summary>Not put in between: the bad line itself fits after the one that now comes after it.</summary>
    private static bool FollowsItsFollower(Link suspect, Link link) =>
        Is(
            suspect.Line!.Entry!,
            suspect.Place with
            {
                Seq = link.Place.Seq,
                Previous = link.Hash,
                JobPreviousHash = suspect.Place.JobPrevious == suspect.Place.Seq ? link.Hash : suspect.Place.JobPreviousHash,
            },
            suspect.Hash
        );

    /// <summary>Two lines changed places: their contents, their ids, or their seals.</summary>
    private static bool AreSwapped(Link suspect, Link link)
    {
        var (there, here) = (suspect.Line!.Entry!, link.Line!.Entry!);
        return Is(here, suspect.Place, suspect.Hash)
            || Is(here with { EntryId = there.EntryId }, suspect.Place, suspect.Hash)
            || Is(here, link.Place with { Seq = suspect.Place.Seq, Previous = suspect.Place.Previous }, link.Hash);
    }

    private void Sound(TimelineEntry entry, long seq)
    {
        CheckAge(entry, seq);
        _largest = (Math.Max(_largest.Entry, entry.EntryId), Math.Max(_largest.At, entry.At));
    }

    private void CheckAge(TimelineEntry entry, long? seq)
    {
        if (entry.EntryId < _largest.Entry && entry.At < _largest.At - LongestStatement)
        {
            Bad++;
            First ??= new Finding
            {
                Kind = Tampering.Inserted,
                Seq = seq,
                EntryId = entry.EntryId,
                JobId = entry.JobId,
                Message = $"entry {entry.EntryId} ({entry.Kind}) was not there when later ones, up to {_largest.Entry}, were sealed",
            };
        }
    }

    private void AddUnsealed(TimelineEntry entry)
    {
        Unsealed++;
        OldestUnsealed = Math.Min(OldestUnsealed ?? long.MaxValue, entry.At);
        if (_suspect is { Line: { Entry: null, Seal: { } seal } } suspect && RenamedTo(suspect, seal, entry) is { } renamed)
        {
            (First, _suspect) = (renamed, null);
            return;
        }

        CheckAge(entry, null);
    }

    /// <summary>The entry that is missing, under another id: the row's was changed, or the seal's.</summary>
    private static Finding? RenamedTo(Link suspect, TimelineSeal seal, TimelineEntry entry) =>
        Is(entry with { EntryId = seal.EntryId }, suspect.Place, suspect.Hash)
            ? Of(suspect, Tampering.Altered, $"the id of entry {seal.EntryId} was changed to {entry.EntryId}")
        : Is(entry, suspect.Place, suspect.Hash)
            ? Of(suspect, Tampering.Altered, $"seal {seal.Seq} was made to name entry {seal.EntryId} instead of {entry.EntryId}")
        : null;

    private void Report(Link link, Tampering kind, string message)
    {
        Bad++;
        if (First is null)
        {
            First = Of(link, kind, message);
            _suspect = link;
        }
    }

    private static Finding Of(Link link, Tampering kind, string message) =>
        new()
        {
            Kind = kind,
            Seq = link.Place.Seq,
            EntryId = link.Line?.Seal?.EntryId,
            JobId = link.Line?.Seal?.JobId,
            Message = message,
        };

    private static bool Fits(HistoryEntry line, SealPlace place) => Is(line.Entry!, place, line.Seal!.Hash);

    private static bool Is(TimelineEntry entry, SealPlace place, byte[] hash) => SealHash.Of(entry, place).AsSpan().SequenceEqual(hash);

    /// <summary>A line and where it stands.</summary>
    private sealed record Link(HistoryEntry? Line, SealPlace Place, bool IsSound)
    {
        public byte[] Hash => Line?.Seal?.Hash ?? [];
    }
}
