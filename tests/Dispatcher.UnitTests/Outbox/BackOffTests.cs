using Dispatcher.Outbox;

namespace Dispatcher.UnitTests.Outbox;

public sealed class BackOffTests
{
    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 2)]
    [InlineData(5, 32)]
    [InlineData(8, 256)]
    [InlineData(9, 300)]
    [InlineData(299, 300)]
    public void Pauses_double_up_to_five_minutes(int attempts, int seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), BackOff.After(attempts));

    [Fact]
    public void After_about_a_day_the_message_is_parked()
    {
        var pauses = Enumerable
            .Range(0, 1_000)
            .Select(BackOff.After)
            .TakeWhile(pause => pause is not null)
            .Sum(pause => pause!.Value.TotalHours);

        Assert.InRange(pauses, 20, 28);
        Assert.Null(BackOff.After(int.MaxValue));
    }
}
