using Dispatcher.Jobs;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Audit.Sealing;

/// <summary>Number and hash of a seal that the next one links to. If there is none: 0 and an empty hash.</summary>
internal readonly record struct LinkedSeal(long Seq, byte[] Hash)
{
    public static readonly LinkedSeal None = new(0, []);
}

/// <summary>Links entries to the last seal of the store and to the last seals of their jobs.</summary>
/// <param name="head">The last seal of the store.</param>
/// <param name="lastSeals">The last seals of jobs. The chain adds its own.</param>
internal sealed class SealChain(SealHead head, LastSeals lastSeals)
{
    /// <summary>The last seal of the store and this chain.</summary>
    public LinkedSeal Last { get; private set; } = new(head.Seq, head.Hash);

    /// <summary>Returns the seal of the next entry. The last seal of its job must be in <c>lastSeals</c>.</summary>
    public TimelineSeal Add(TimelineEntry entry)
    {
        var ofJob = lastSeals.Of(entry.JobId) ?? throw new InvalidOperationException($"Read the last seal of job {entry.JobId} first.");
        var seq = Last.Seq + 1;
        Last = new LinkedSeal(seq, SealHash.Of(entry, new SealPosition(seq, Last.Hash, ofJob.Seq, ofJob.Hash)));
        lastSeals.Add(entry.JobId, Last);
        return new TimelineSeal
        {
            Seq = seq,
            EntryId = entry.EntryId,
            JobId = entry.JobId,
            JobPrevious = ofJob.Seq,
            Hash = Last.Hash,
        };
    }
}

/// <summary>
/// The last seals of jobs that were sealed recently, so that most entries need no read of the seal before them. The older of two
/// generations is dropped when the newer one is full.
/// </summary>
internal sealed class LastSeals
{
    private const int MaxJobs = 10_000;

    private Dictionary<Guid, LinkedSeal> _newer = [];
    private Dictionary<Guid, LinkedSeal> _older = [];

    /// <summary>
    /// The last seal of a job. Null: it is not known here. The seal is in the newer generation then, so that it is still known after some
    /// thousand further jobs.
    /// </summary>
    public LinkedSeal? Of(Guid job)
    {
        if (_newer.TryGetValue(job, out var seal))
        {
            return seal;
        }

        if (!_older.TryGetValue(job, out seal))
        {
            return null;
        }

        Add(job, seal);
        return seal;
    }

    public void Add(Guid job, LinkedSeal seal)
    {
        if (_newer.Count >= MaxJobs)
        {
            (_older, _newer) = (_newer, []);
        }

        _newer[job] = seal;
    }

    public void Clear()
    {
        _newer.Clear();
        _older.Clear();
    }
}
