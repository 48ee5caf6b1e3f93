using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>
/// The broker has an alarm, and limits that are too high. Alone, because both concern the whole node. Each problem fires its alert in a
/// real Prometheus, and ends when the commands of its entry in the runbook are run.
/// </summary>
[Collection(AloneCollection.Name)]
public sealed class BrokerAlertJourneys
{
    internal static IReadOnlyList<string> Alerts { get; } =
    ["DispatcherBrokerAlarm", "DispatcherOutboxOld", "DispatcherBrokerAcceptsLargeMessages"];

    /// <summary>Bytes that RabbitMQ 3.10 accepts by default, and more than the server advises. Version 4 accepts fewer.</summary>
    private const int HighLimit = 134_217_728;

    private const string EnoughMemory = "2147483648";

    [Fact]
    public async Task What_the_broker_refuses_or_accepts_fires_and_ends()
    {
        await using var stage = await OnCallStage.BeginAsync();
        await Servers.RabbitMqCtlAsync("eval", $"application:set_env(rabbit, max_message_size, {HighLimit}).");
        var address = OnCallStage.FreeAddress();
        var server = stage.Start(address);
        await stage.ScrapeAsync(address);
        await server.ReadyAsync();
        try
        {
            // One byte: the broker has an alarm at its next measurement.
            await Servers.RabbitMqCtlAsync("set_vm_memory_high_watermark", "absolute", "1");
            await server.SubmitAsync(AJob.On("job.test.denied").Body());

            var alarm = await stage.FiresAsync("DispatcherBrokerAlarm", server);
            Assert.Contains("memory", await alarm.RunAsync("rabbitmqctl status"), StringComparison.OrdinalIgnoreCase);
            await alarm.RunAsync("rabbitmqctl list_queues -p VHOST name messages", ("VHOST", stage.Journey.Name));
            var outbox = await stage.FiresAsync("DispatcherOutboxOld", server);
            await outbox.RunAsync("dispatcher status");
            await alarm.RunAsync("rabbitmqctl set_vm_memory_high_watermark absolute BYTES", ("BYTES", EnoughMemory));

            var large = await stage.FiresAsync("DispatcherBrokerAcceptsLargeMessages", server);
            Assert.Contains("max_message_size", await large.RunAsync("dispatcher status"), StringComparison.Ordinal);
            await large.RunAsync("rabbitmqctl eval 'application:set_env(rabbit, max_message_size, 1048576).'");
            await large.RunAsync("rabbitmqctl close_all_user_connections USER \"lower max_message_size\"", ("USER", Journey.ServerUser));
            await stage.IsOverAsync("DispatcherBrokerAcceptsLargeMessages", large);
            await stage.IsOverAsync("DispatcherBrokerAlarm", alarm);
            await stage.IsOverAsync("DispatcherOutboxOld", outbox);
            await stage.EndsQuietAsync(Alerts, allowed: "");
        }
        finally
        {
            await Servers.RabbitMqCtlAsync("set_vm_memory_high_watermark", "0.4");
            await Servers.RabbitMqCtlAsync("eval", $"application:set_env(rabbit, max_message_size, {HighLimit}).");
        }
    }
}
