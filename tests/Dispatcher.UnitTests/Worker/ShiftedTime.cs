namespace Dispatcher.UnitTests.Worker;

/// <summary>The clock of a machine that is off. Timers and timestamps are as usual.</summary>
internal sealed class ShiftedTime(TimeSpan ahead) : TimeProvider
{
    public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + ahead;
}
