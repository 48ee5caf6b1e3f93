using System.Reflection;
using Dispatcher.Broker;
using Dispatcher.Contracts;

namespace Dispatcher.UnitTests.Broker;

public sealed class DeliveryFactsTests
{
    public static TheoryData<string> Types() =>
        [.. typeof(MessageTypes).GetFields(BindingFlags.Public | BindingFlags.Static).Select(type => (string)type.GetValue(null)!)];

    [Theory]
    [MemberData(nameof(Types))]
    public void Message_of_the_server_is_recognized(string type) =>
        Assert.True(new DeliveryFacts { UserId = "server", Type = type }.IsOwn("server"));

    [Theory]
    [InlineData("server", null)]
    [InlineData("server", "")]
    [InlineData("server", "submit")]
    [InlineData("billing", MessageTypes.Decision)]
    [InlineData(null, MessageTypes.Decision)]
    public void Message_of_a_producer_is_not_one_of_the_server(string? user, string? type) =>
        Assert.False(new DeliveryFacts { UserId = user, Type = type }.IsOwn("server"));

    [Fact]
    public void Without_a_broker_user_no_message_counts_as_sent_by_the_server() =>
        Assert.False(new DeliveryFacts { UserId = null, Type = MessageTypes.Decision }.IsOwn(null));
}
