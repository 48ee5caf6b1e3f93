namespace Dispatcher.JourneyWorker;

/// <summary>A machine's clock that is ahead or, with a negative value, behind. Timers and timestamps are as usual.</summary>
internal sealed class ShiftedTime(TimeSpan ahead) : TimeProvider
{
    public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + ahead;
}
