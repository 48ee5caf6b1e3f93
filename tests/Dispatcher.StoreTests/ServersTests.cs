using Npgsql;
using RabbitMQ.Client;

namespace Dispatcher.StoreTests;

/// <summary>The variables that <c>ops/test.sh</c> exports lead to the servers that it starts.</summary>
public sealed class ServersTests
{
    [Fact]
    public async Task PostgreSQL_answers()
    {
        await using var connection = new NpgsqlConnection(VariableOrSkip("DISPATCHER_TEST_POSTGRES"));
        await connection.OpenAsync(TestContext.Current.CancellationToken);

        await using var command = new NpgsqlCommand("show fsync", connection);
        Assert.Equal("on", await command.ExecuteScalarAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task RabbitMQ_answers()
    {
        var factory = new ConnectionFactory { Uri = new Uri(VariableOrSkip("DISPATCHER_TEST_RABBITMQ")) };
        await using var connection = await factory.CreateConnectionAsync(TestContext.Current.CancellationToken);

        await using var channel = await connection.CreateChannelAsync(cancellationToken: TestContext.Current.CancellationToken);
        Assert.True(channel.IsOpen);
    }

    private static string VariableOrSkip(string name)
    {
        var value = Environment.GetEnvironmentVariable(name);
        Assert.SkipWhen(string.IsNullOrEmpty(value), $"{name} is not set: run the tests with ops/test.sh, which starts the servers.");
        return value!;
    }
}
