namespace Dispatcher.Worker.RabbitMq;

/// <summary>
/// The delivery tags of a channel that were acked or returned. The broker numbers the deliveries of a channel from 1 without a gap, so a
/// tag that is missing here is in processing, or not delivered yet.
/// </summary>
internal sealed class SettledTags
{
    // In ascending order, with at least one missing tag between two ranges. No more ranges than deliveries in processing.
    private readonly List<(ulong First, ulong Last)> _ranges = [(0, 0)];

    /// <summary>The last tag up to which all are settled. 0: not even the first.</summary>
    public ulong Prefix => _ranges[0].Last;

    /// <summary>A tag that is settled already changes nothing.</summary>
    public void Add(ulong tag)
    {
        var below = _ranges.FindLastIndex(range => range.First <= tag);
        var (first, last) = _ranges[below];
        if (tag <= last)
        {
            return;
        }

        var joinsBelow = last + 1 == tag;
        var joinsAbove = below + 1 < _ranges.Count && _ranges[below + 1].First == tag + 1;
        switch (joinsBelow, joinsAbove)
        {
            case (true, true):
                _ranges[below] = (first, _ranges[below + 1].Last);
                _ranges.RemoveAt(below + 1);
                break;
            case (true, false):
                _ranges[below] = (first, tag);
                break;
            case (false, true):
                _ranges[below + 1] = (tag, _ranges[below + 1].Last);
                break;
            case (false, false):
                _ranges.Insert(below + 1, (tag, tag));
                break;
        }
    }
}
