using Dispatcher.Base;
using Dispatcher.Hosting;

namespace Dispatcher.UnitTests.Hosting;

public sealed class PlainTextTests
{
    private static readonly ServerSettings Quiet = new()
    {
        PolicyFolder = "policies",
        Urls = "https://0.0.0.0:8443",
        RabbitMq = "amqps://ana:secret@mq:5671/",
        Postgres = "Host=db;SSL Mode=VerifyFull;Password=secret",
    };

    [Theory]
    [InlineData("amqp://ana:secret@mq/", true)]
    [InlineData("amqp://ana:secret@10.0.0.5:5672/", true)]
    [InlineData("AMQP://ana:secret@mq/", true)]
    [InlineData("amqps://ana:secret@mq/", false)]
    [InlineData("amqp://ana:secret@localhost/", false)]
    [InlineData("amqp://ana:secret@127.0.0.1:5672/", false)]
    [InlineData("amqp://ana:secret@[::1]:5672/", false)]
    public void Broker_without_TLS_on_another_machine_is_warned_of(string broker, bool isWarned) =>
        AssertWarned("DISPATCHER_RABBITMQ", isWarned, Quiet with { RabbitMq = broker });

    [Theory]
    [InlineData("Host=db;Password=secret", true)]
    [InlineData("Host=db;SSL Mode=Require", true)]
    [InlineData("Host=db;SSL Mode=VerifyCA", true)]
    [InlineData("Host=127.0.0.1,db:5433", true)]
    [InlineData("Host=2001:db8::1", true)]
    [InlineData("Host=db;SSL Mode=VerifyFull", false)]
    [InlineData("Host=127.0.0.1", false)]
    [InlineData("Host=localhost,127.0.0.1:5433", false)]
    [InlineData("Host=::1", false)]
    [InlineData("Host=/run/postgresql", false)]
    public void Database_on_another_machine_that_is_not_verified_is_warned_of(string database, bool isWarned) =>
        AssertWarned("DISPATCHER_POSTGRES", isWarned, Quiet with { Postgres = database });

    [Fact]
    public void Allowed_plain_HTTP_is_warned_of() =>
        AssertWarned("DISPATCHER_ALLOW_PLAIN_HTTP", isWarned: true, Quiet with { AllowPlainHttp = true });

    private static void AssertWarned(string setting, bool isWarned, ServerSettings settings)
    {
        var log = new ALog<PlainTextTests>();

        PlainText.Warn(settings, log);

        Assert.Equal(isWarned ? [setting] : [], log.Lines.Select(line => line.Text.Split(':')[0]));
        Assert.DoesNotContain("secret", log.Text, StringComparison.Ordinal);
    }
}
