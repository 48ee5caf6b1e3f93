namespace Dispatcher.Dispatching;

/// <summary>How many attempts of a pool workers claim in a second: the larger of the running second and the one before.</summary>
internal sealed class ClaimRate(TimeProvider time)
{
    private readonly Lock _guard = new();
    private long _second;
    private int _now;
    private int _before;

    public int PerSecond
    {
        get
        {
            lock (_guard)
            {
                Roll();
                return Math.Max(_now, _before);
            }
        }
    }

    public void Add(int claims)
    {
        lock (_guard)
        {
            Roll();
            _now += claims;
        }
    }

    private void Roll()
    {
        var second = time.GetTimestamp() / time.TimestampFrequency;
        if (second != _second)
        {
            (_before, _now, _second) = (second == _second + 1 ? _now : 0, 0, second);
        }
    }
}
