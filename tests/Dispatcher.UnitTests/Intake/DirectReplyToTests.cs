using System.Text;
using Dispatcher.Intake;

namespace Dispatcher.UnitTests.Intake;

public sealed class DirectReplyToTests
{
    /// <summary>The address as RabbitMQ encodes it for a channel of the node with hash 68781334.</summary>
    public const string BrokerAddress = "amq.rabbitmq.reply-to.g1h2AA5yZXBseUA2ODc4MTMzNAAAcEoAAAAAaS8eQg==.AAECAwQFBgcICQoLDA0ODw==";

    private static readonly string Key = Convert.ToBase64String(new byte[16]);

    [Fact]
    public void Broker_address_is_valid()
    {
        Assert.True(DirectReplyTo.IsValid(BrokerAddress));
        Assert.True(DirectReplyTo.IsValid(Address(Process("reply@1"), Key)));
        Assert.True(DirectReplyTo.IsValid(Address(Process("reply@134217727"), Key)));
    }

    [Theory]
    [InlineData("amq.rabbitmq.reply-to")]
    [InlineData("amq.rabbitmq.reply-to.")]
    [InlineData("amq.rabbitmq.reply-to..")]
    [InlineData("amq.rabbitmq.reply-to.Z2FyYmFnZQ==.k")]
    [InlineData("amq.rabbitmq.reply-to.Z2FyYmFnZQ==.AAECAwQFBgcICQoLDA0ODw==")]
    [InlineData("amq.rabbitmq.reply-to.g1h2AA5yZXBseUA2ODc4MTMzNAAAcEoAAAAAaS8eQg==")]
    [InlineData("amq.rabbitmq.reply-to.g1h2AA5yZXBseUA2ODc4MTMzNAAAcEoAAAAAaS8eQg==.")]
    [InlineData("amq.rabbitmq.reply-to.g1h2AA5yZXBseUA2ODc4MTMzNAAAcEoAAAAAaS8eQg==.AAEC")]
    [InlineData("amq.rabbitmq.reply-to.g1h2AA5yZXBseUA2ODc4MTMzNAAAcEoAAAAAaS8eQh==.AAECAwQFBgcICQoLDA0ODw==")]
    [InlineData("amq.rabbitmq.reply-to.g1h2AA5yZXBseUA2ODc4MTMzNAAAcEoAAAAAaS8eQg==.AAECAwQFBgcICQoLDA0ODw== ")]
    [InlineData("amq.rabbitmq.reply-to.g1h2AA5yZXBseUA2ODc4MTMzNAAAcEoAAAAAaS8eQg==.AAECAwQFBgcICQoLDA0ODw==.x")]
    [InlineData("x.amq.rabbitmq.reply-to.g1h2AA5yZXBseUA2ODc4MTMzNAAAcEoAAAAAaS8eQg==.AAECAwQFBgcICQoLDA0ODw==")]
    public void Malformed_address_is_invalid(string replyTo) => Assert.False(DirectReplyTo.IsValid(replyTo));

    [Theory]
    [InlineData("reply@")]
    [InlineData("reply@1234567890")]
    [InlineData("reply@12x")]
    [InlineData("reply@-1")]
    [InlineData("rabbit@1")]
    [InlineData("")]
    public void Address_with_another_node_name_is_invalid(string node) => Assert.False(DirectReplyTo.IsValid(Address(Process(node), Key)));

    [Fact]
    public void Address_with_missing_extra_or_changed_bytes_is_invalid()
    {
        var process = Process("reply@1");

        Assert.All(Enumerable.Range(0, process.Length), length => Assert.False(DirectReplyTo.IsValid(Address(process[..length], Key))));
        Assert.False(DirectReplyTo.IsValid(Address([.. process, 0], Key)));
        Assert.False(DirectReplyTo.IsValid(Address([.. process[..1], 103, .. process[2..]], Key)));
    }

    private static string Address(byte[] process, string key) => $"amq.rabbitmq.reply-to.{Convert.ToBase64String(process)}.{key}";

    private static byte[] Process(string node) => [131, 88, 118, 0, (byte)node.Length, .. Encoding.ASCII.GetBytes(node), .. new byte[12]];
}
