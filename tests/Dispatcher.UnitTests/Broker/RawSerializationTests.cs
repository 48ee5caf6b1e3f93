using Dispatcher.Broker;
using MassTransit;
using MassTransit.Serialization;

namespace Dispatcher.UnitTests.Broker;

public sealed class RawSerializationTests
{
    /// <summary>MassTransit would declare and send a fault to the address in the header, with the rights of the server.</summary>
    [Fact]
    public void MassTransit_gets_no_address_from_the_headers_of_a_sender()
    {
        var headers = new DictionarySendHeaders(
            new Dictionary<string, object?>
            {
                [MessageHeaders.FaultAddress] = "rabbitmq://127.0.0.1/dispatcher.jobs?type=fanout",
                [MessageHeaders.ResponseAddress] = "rabbitmq://127.0.0.1/dispatcher.work",
                [MessageHeaders.SourceAddress] = "rabbitmq://127.0.0.1/x",
                [MessageHeaders.RequestId] = Guid.AllBitsSet.ToString(),
            }
        );

        var context = new RawSerialization().Deserialize(new StringMessageBody("{}"), headers);

        Assert.Null(context.FaultAddress);
        Assert.Null(context.ResponseAddress);
        Assert.Null(context.SourceAddress);
        Assert.Null(context.RequestId);
        Assert.Empty(context.Headers.GetAll());
    }
}
