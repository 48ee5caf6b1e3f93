using Dispatcher.UnitTests.CommandLine;
using Dispatcher.Worker;
using Dispatcher.Worker.RabbitMq;

namespace Dispatcher.UnitTests.Worker.RabbitMq;

/// <summary>Addresses of a broker that cannot work. The messages of the server and of the worker contain no part of the password.</summary>
public sealed class BrokerAddressTests
{
    public static TheoryData<string, string> Wrong =>
        new()
        {
            { "hushhush", "has no amqp://" },
            { "http://ana:hushhush@mq/", "begins with http://" },
            { "amqp://ana:hushhush@mq:many/", "has a host or port that cannot be read" },
            { "amqp://ana:hushhush@mq:70000/", "has a host or port that cannot be read" },
            { "amqp://ana:hush/hushhush@mq/", "has a host or port that cannot be read" },
            { "amqp://ana:hushhush@mq/jobs/hushhush", "has more than a virtual host after host and port" },
            { "amqp://ana:12/hushhush@mq", "has more than a virtual host after host and port" },
            { "amqp://ana:12/hushhush@mq/jobs", "has more than a virtual host after host and port" },
            { "amqp://ana:12?hushhush@mq/jobs", "has more than a virtual host after host and port" },
            { "amqp://ana:12#hushhush@mq/jobs", "has more than a virtual host after host and port" },
        };

    [Theory]
    [InlineData("amqp://mq")]
    [InlineData("amqp://ana:hushhush@mq:5672/")]
    [InlineData("AMQPS://ana:hush%2Fhush%40hush@[::1]:5671/jobs%2Fdev")]
    public void Address_is_accepted(string address) => Assert.Null(BrokerAddress.Fault(address));

    [Theory]
    [MemberData(nameof(Wrong))]
    public async Task Server_names_the_setting_and_the_fault_of_its_address(string address, string fault)
    {
        var call = await CommandLineCall.RunAsync("serve", "--rabbitmq", address, "--postgres", "Host=127.0.0.1;Port=1");

        Assert.Equal(2, call.Code);
        Assert.Contains($"DISPATCHER_RABBITMQ (or --rabbitmq) is not an AMQP address: it {fault}.", call.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("hush", call.Error, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Wrong))]
    public void Worker_refuses_the_address_before_it_starts(string address, string fault)
    {
        using var services = new ServiceCollection().BuildServiceProvider();
        var validator = new WorkerAddressValidator(services.GetRequiredService<IServiceProviderIsService>());
        var options = new WorkerOptions
        {
            RabbitMq = Uri.TryCreate(address, UriKind.Absolute, out var uri) ? uri : null,
            Dispatcher = new Uri("http://dispatcher:8080"),
            ApiKey = "key",
        };

        var error = Assert.Single(validator.Validate("main", options).Failures!);

        Assert.StartsWith($"Pool 'main': RabbitMq {(uri is null ? "must be an address" : $"is not an AMQP address: it {fault}")}", error);
        Assert.DoesNotContain("hush", error, StringComparison.Ordinal);
    }
}
