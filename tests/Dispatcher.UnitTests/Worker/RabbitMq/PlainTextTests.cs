using Dispatcher.Worker;
using Dispatcher.Worker.RabbitMq;

namespace Dispatcher.UnitTests.Worker.RabbitMq;

public sealed class PlainTextTests
{
    [Theory]
    [InlineData("amqp://shell:secret@mq/", "http://dispatcher:8080", 2)]
    [InlineData("amqps://shell:secret@mq/", "http://dispatcher:8080", 1)]
    [InlineData("amqps://shell:secret@mq/", "https://dispatcher:8443", 0)]
    [InlineData("amqp://shell:secret@127.0.0.1/", "http://localhost:8080", 0)]
    public async Task Secret_in_plain_text_to_another_machine_is_warned_of(string broker, string dispatcher, int warnings)
    {
        var log = new ALog<RabbitMqWorkerTransport>();
        var options = new WorkerOptions
        {
            RabbitMq = new Uri(broker),
            Dispatcher = new Uri(dispatcher),
            ApiKey = "key",
        };

        await using var transport = new RabbitMqWorkerTransport(options, TimeProvider.System, log);

        Assert.Equal(warnings, log.Lines.Count(line => line.Text.Contains("in plain text", StringComparison.Ordinal)));
        Assert.DoesNotContain("secret", log.Text, StringComparison.Ordinal);
    }
}
