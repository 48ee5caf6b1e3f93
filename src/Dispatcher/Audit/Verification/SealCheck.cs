using Dispatcher.Audit.Sealing;
using Dispatcher.Base;
using Dispatcher.Jobs;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Audit.Verification;

/// <summary>
/// Follows the seals from the first to the last, and names the first bad one and how it is bad. It keeps only three entries in memory. The
/// kind of tampering follows from how the next entries match, or from where the content of the bad entry is found.
/// </summary>
internal sealed class SealCheck
{
    /// <summary>
    /// No statement of the dispatcher takes longer than its timeout of 30 s. So an entry with a lower id and an older time than entries
    /// that were sealed before it was inserted after they were sealed.
    /// </summary>
    private static readonly long MaxStatementTime = Timestamps.Micros(TimeSpan.FromMinutes(1));

    private SealLink? _before;
    private SealLink _last = new(null, new SealPosition(0, [], 0, []), IsSound: true);
    private SealLink? _suspect;
    private (long Entry, long At) _largest;

    /// <summary>The first bad entry so far. Null: every entry matches its seal.</summary>
    public Finding? First { get; private set; }

    /// <summary>Number of bad entries. Those after the first may be its consequence.</summary>
    public long Bad { get; private set; }

    public long Sealed { get; private set; }

    public long Unsealed { get; private set; }

    /// <summary>When the oldest unsealed entry was written.</summary>
    public long? OldestUnsealed { get; private set; }

    /// <summary>Whether the seals have every number from 1, or from the first that was not dropped.</summary>
    public bool HasEveryNumber { get; private set; } = true;

    /// <summary>Starts after dropped seals. Called before the first entry.</summary>
    public void StartAfter(Retention retention)
    {
        var last = new TimelineSeal
        {
            Seq = retention.Size,
            EntryId = 0,
            JobId = Guid.Empty,
            JobPrevious = 0,
            Hash = retention.HeadHash(),
        };
        _last = new SealLink(new HistoryEntry(last, [], null), new SealPosition(retention.Size, [], 0, []), IsSound: true);
    }

    public void Add(HistoryEntry step)
    {
        if (step.Seal is { } seal)
        {
            AddSealed(step, seal);
        }
        else if (step.Entry is { } entry)
        {
            AddUnsealed(entry);
        }
    }

    private void AddSealed(HistoryEntry step, TimelineSeal seal)
    {
        Sealed++;
        var numbered = CheckNumber(seal);
        var position = new SealPosition(seal.Seq, _last.Hash, seal.JobPrevious, step.JobPreviousHash);
        var isSound = !numbered || (step.Entry is { } entry && SealLink.Matches(entry, position, seal.Hash) && entry.JobId == seal.JobId);
        var link = new SealLink(step, position, isSound);
        if (step.Entry is null)
        {
            Report(link, Tampering.Missing, $"entry {seal.EntryId} was sealed as number {seal.Seq} and is missing");
        }
        else if (!link.IsSound)
        {
            AddBad(link, step.Entry, seal);
        }
        else
        {
            AddSound(step.Entry, seal.Seq);
        }

        (_before, _last) = (_last, link);
    }

    /// <summary>False: the seal before is missing, so the hash of this one cannot be checked.</summary>
    private bool CheckNumber(TimelineSeal seal)
    {
        var expected = _last.Position.Seq + 1;
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
                    Message = $"seal {seal.Seq} was found where {expected} is expected: numbers begin with 1",
                }
                : new Finding
                {
                    Kind = Tampering.Missing,
                    Seq = expected,
                    Message = $"seal {expected} is missing: {seal.Seq}, of entry {seal.EntryId}, follows {expected - 1}",
                };
        return false;
    }

    private void AddBad(SealLink link, TimelineEntry entry, TimelineSeal seal)
    {
        Bad++;
        if (First is null && link.Fits(link.Position))
        {
            First = link.Finding(Tampering.Altered, $"seal {seal.Seq} names another job than entry {entry.EntryId}");
        }
        else if (First is null)
        {
            First = FromBefore(link, entry);
            _suspect = First is null ? link : null;
            First ??= link.Finding(
                Tampering.Altered,
                $"entry {entry.EntryId} ({entry.Kind}, attempt {entry.Attempt}) was changed after it was sealed"
            );
        }
        else if (_suspect is { Step.Entry: not null } suspect && SealDiagnosis.FromLater(suspect, link) is { } better)
        {
            (First, _suspect) = (better, null);
        }
    }

    /// <summary>The entry before matched, and this one matches at its position: the entry before was inserted.</summary>
    private Finding? FromBefore(SealLink link, TimelineEntry entry) =>
        _before is { } before
        && _last.Step is not null
        && SealLink.Matches(entry, link.Position with { Seq = link.Position.Seq - 1, Previous = before.Hash }, link.Hash)
            ? _last.Finding(
                Tampering.Inserted,
                $"entry {_last.Step.Entry?.EntryId} was inserted between two entries that were sealed one after the other"
            )
            : null;

    private void AddSound(TimelineEntry entry, long seq)
    {
        CheckAge(entry, seq);
        _largest = (Math.Max(_largest.Entry, entry.EntryId), Math.Max(_largest.At, entry.At));
    }

    private void CheckAge(TimelineEntry entry, long? seq)
    {
        if (entry.EntryId < _largest.Entry && entry.At < _largest.At - MaxStatementTime)
        {
            Bad++;
            First ??= new Finding
            {
                Kind = Tampering.Inserted,
                Seq = seq,
                EntryId = entry.EntryId,
                JobId = entry.JobId,
                Message = $"entry {entry.EntryId} ({entry.Kind}) was inserted after later entries, up to {_largest.Entry}, were sealed",
            };
        }
    }

    private void AddUnsealed(TimelineEntry entry)
    {
        Unsealed++;
        OldestUnsealed = Math.Min(OldestUnsealed ?? long.MaxValue, entry.At);
        if (_suspect is { Step: { Entry: null, Seal: { } seal } } suspect && SealDiagnosis.Renamed(suspect, seal, entry) is { } renamed)
        {
            (First, _suspect) = (renamed, null);
            return;
        }

        CheckAge(entry, null);
    }

    private void Report(SealLink link, Tampering kind, string message)
    {
        Bad++;
        if (First is null)
        {
            First = link.Finding(kind, message);
            _suspect = link;
        }
    }
}
