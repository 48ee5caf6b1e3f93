using Dispatcher.Outbox;

namespace Dispatcher.UnitTests.Outbox;

public sealed class OutboxRetryDelayTests
{
    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 2)]
    [InlineData(5, 32)]
    [InlineData(8, 256)]
    [InlineData(9, 300)]
    [InlineData(299, 300)]
    public void Delay_doubles_up_to_five_minutes(int attempts, int seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), OutboxRetryDelay.After(attempts));

    [Fact]
    public void Message_is_parked_after_about_one_day()
    {
        var pauses = Enumerable
            .Range(0, 1_000)
            .Select(OutboxRetryDelay.After)
            .TakeWhile(pause => pause is not null)
            .Sum(pause => pause!.Value.TotalHours);

        Assert.InRange(pauses, 20, 28);
        Assert.Null(OutboxRetryDelay.After(int.MaxValue));
    }
}
