using Dispatcher.Contracts;
using Dispatcher.Dispatching;

namespace Dispatcher.UnitTests.Dispatching;

public sealed class RunLimitTests
{
    [Theory]
    [InlineData(null, 3_600, 60)]
    [InlineData(15_000L, 3_600, 15)]
    [InlineData(90_000L, 3_600, 60)]
    [InlineData(null, 20, 20)]
    [InlineData(15_000L, 20, 15)]
    public void A_run_has_the_shortest_of_the_topics_limit_the_rules_and_what_is_left_for_all_attempts(long? timeoutMs, int leftSeconds, int seconds)
    {
        var around = AJob.Around("timeouts: { run: 1m }");

        Assert.Equal(seconds * 1_000_000L, JobDispatch.RunLimit(around.ClassOf(AJob.ToTest().Stored)!, timeoutMs is null ? null : new Constraints { TimeoutMs = timeoutMs }, leftSeconds * 1_000_000L));
    }
}
