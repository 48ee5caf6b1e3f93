using System.Text;
using Dispatcher.Broker;
using RabbitMQ.Client;

namespace Dispatcher.UnitTests.Broker;

public sealed class HeldPropertiesTests
{
    private const string Expiration = "dispatcher-held-expiration";

    [Fact]
    public void Expiration_and_headers_come_back()
    {
        var held = HeldProperties.Of(With("60000", ("kind", "kept"), (Expiration, "1")));

        Assert.False(held.IsExpirationPresent());
        var released = HeldProperties.Released(Delivered(held));
        Assert.Equal(("60000", "kind"), (released.Expiration, Assert.Single(released.Headers!.Keys)));
    }

    [Fact]
    public void Header_of_a_client_is_removed_from_a_message_without_expiration() =>
        Assert.False(HeldProperties.Released(HeldProperties.Of(With(null, (Expiration, "1")))).IsExpirationPresent());

    /// <summary>The broker would refuse such an expiration, and the migration could never end.</summary>
    [Theory]
    [InlineData("x")]
    [InlineData("-1")]
    [InlineData("4294967296")]
    [InlineData("")]
    public void Header_of_a_client_in_the_holding_queue_that_is_no_expiration_is_dropped(string value)
    {
        var released = HeldProperties.Released(Delivered(With(null, (Expiration, value))));

        Assert.False(released.IsExpirationPresent());
        Assert.False(released.IsHeadersPresent());
    }

    [Fact]
    public void Expiration_of_a_message_that_waits_for_a_newer_server_is_not_cut()
    {
        var now = DateTimeOffset.UnixEpoch;

        var waited = WaitedMessage.Begin(new DeliveryFacts(), With("7200000"), now);

        Assert.Equal(now.AddHours(2), waited.ExpiresAt);
    }

    private static BasicProperties With(string? expiration, params (string Name, string Value)[] headers)
    {
        var properties = new BasicProperties();
        if (expiration is not null)
        {
            properties.Expiration = expiration;
        }

        properties.Headers = headers.ToDictionary(header => header.Name, header => (object?)header.Value);
        return properties;
    }

    /// <summary>The client delivers text as bytes.</summary>
    private static BasicProperties Delivered(BasicProperties sent)
    {
        var delivered = new BasicProperties(sent);
        delivered.Headers = sent.Headers!.ToDictionary(
            header => header.Key,
            header => header.Value is string text ? Encoding.UTF8.GetBytes(text) : header.Value
        );
        return delivered;
    }
}
