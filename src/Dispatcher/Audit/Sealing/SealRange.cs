namespace Dispatcher.Audit.Sealing;

/// <summary>The ids of entries that may be without a seal.</summary>
/// <param name="After">All ids above this one.</param>
/// <param name="Gaps">Further ids, none of them above <paramref name="After"/>.</param>
internal sealed record SealRange(long After, IReadOnlyCollection<long> Gaps)
{
    /// <summary>The part above an id.</summary>
    public SealRange Above(long id) => id >= After ? new SealRange(id, []) : this with { Gaps = [.. Gaps.Where(gap => gap > id)] };
}

/// <summary>
/// Remembers which ids have no seal yet, so that a pass does not look again at entries that were sealed in the last seconds. An id without
/// a seal may belong to a transaction that has not committed, or to none.
/// </summary>
internal sealed class UnsealedIds
{
    /// <summary>With more gaps it costs less to read all entries above the floor.</summary>
    private const int MaxGaps = 1_000;

    private readonly SortedSet<long> _gaps = [];
    private long? _first;
    private long _last;

    /// <summary>The ids to read above the floor.</summary>
    public SealRange Above(long floor)
    {
        _gaps.RemoveWhere(gap => gap <= floor);
        return _first is null || floor < _first || _gaps.Count > MaxGaps ? new SealRange(floor, []) : new SealRange(_last, [.. _gaps]);
    }

    /// <summary>Takes the seals that a pass wrote or found.</summary>
    public void Seal(SealPass pass)
    {
        if (_first is null || pass.Others is null)
        {
            (_first, _last) = (pass.Before.LargestEntry, pass.Before.LargestEntry);
            _gaps.Clear();
        }

        foreach (var id in (pass.Others ?? []).Concat(pass.Entries))
        {
            for (; _last < id; _last++)
            {
                _gaps.Add(_last + 1);
            }

            _gaps.Remove(id);
        }
    }
}
