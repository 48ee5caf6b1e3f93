using Dispatcher.Base;
using Dispatcher.Hosting;
using Dispatcher.Intake;
using Dispatcher.Outbox;

namespace Dispatcher.UnitTests.Hosting;

/// <summary>The services as they are built for a broker, not started.</summary>
public sealed class MessagingRegistrationTests : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dispatcher-unit-");
    private readonly WebApplication _app;

    public MessagingRegistrationTests() =>
        _app = Server.Build(
            new ServerSettings
            {
                RabbitMq = "amqp://server:server@127.0.0.1:1/",
                Postgres = "Host=127.0.0.1;Port=1",
                PolicyFolder = _folder.FullName,
                AuditFolder = _folder.FullName,
                Urls = "http://127.0.0.1:0",
                LogLevel = "Fatal",
            }
        );

    [Fact]
    public void Intake_and_relay_resolve_with_a_broker()
    {
        Assert.NotNull(_app.Services.GetRequiredService<IntakePolicyFilter>());
        Assert.IsType<RabbitOutbox>(_app.Services.GetRequiredService<IOutboxTransport>());
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _folder.Delete(recursive: true);
    }
}
