using Dispatcher.Broker;

namespace Dispatcher.UnitTests.Broker;

public sealed class BrokerLimitTests
{
    [Theory]
    [InlineData("PRECONDITION_FAILED - message size 16777217 is larger than configured max size 1048576", 1_048_576)]
    [InlineData("PRECONDITION_FAILED - message size 16777217 is larger than max size 134217728", 134_217_728)]
    [InlineData("PRECONDITION_FAILED - in other words", BrokerLimit.Advised)]
    public void Limit_is_read_from_the_refusal_of_the_broker(string replyText, long expected) =>
        Assert.Equal(expected, BrokerLimit.LimitIn(replyText));
}
