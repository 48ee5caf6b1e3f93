using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Dispatcher.JourneyTests.Staging;
using Npgsql;

namespace Dispatcher.JourneyTests;

/// <summary>
/// TLS on every connection: HTTPS, RabbitMQ and PostgreSQL, each with a private CA. The database refuses the server without TLS.
/// </summary>
public sealed class TlsJourneys
{
    private const string Topic = "job.test.once";
    private const int WrongUse = 2;
    private const int Unreachable = 3;

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Job_runs_with_TLS_on_every_connection()
    {
        await using var journey = await Journey.BeginAsync();
        var tls = await journey.UseTlsAsync();
        var dispatcher = await journey.DispatcherProcessAsync();
        await journey.CountingWorkerProcessAsync(dispatcher);
        var billing = await journey.ProducerAsync();
        var overAmqp = AJob.On(Topic);

        await billing.PublishAsync(overAmqp);
        await using var submit = ChildProcess.OfOutput(
            "dispatcher.dll",
            new Dictionary<string, string>(tls.Client) { ["DISPATCHER_API_KEY"] = await dispatcher.MakeKeyAsync("shipping", "producer") },
            "submit",
            "--url",
            dispatcher.Address,
            "--topic",
            Topic,
            "--payload",
            "{}",
            "--wait"
        );

        Assert.True(await submit.EndAsync(TimeSpan.FromSeconds(60)) == 0, submit.Log + journey.Logs());
        await journey.SettledAsync(2);
        Assert.Equal(2, await journey.Records.CountAsync("succeeded", Topic));
        await Eventually.IsAsync(
            async () => (await Servers.ConnectionsAsync(journey.Name, Journey.ServerUser)).Count >= 3,
            () => "the broker lists the connections of the server",
            TimeSpan.FromSeconds(30)
        );
        Assert.All(await Servers.AreEncryptedAsync(journey.Name), connection => Assert.True(connection.IsEncrypted, connection.User));
        Assert.Equal(0, await PlainSessionsAsync(journey, "tls_only"));
        Assert.DoesNotContain("in plain text", dispatcher.Log, StringComparison.Ordinal);
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task Renewed_certificate_of_HTTPS_is_used_without_a_failed_job()
    {
        await using var journey = await Journey.BeginAsync();
        var tls = await journey.UseTlsAsync();
        var dispatcher = await journey.DispatcherProcessAsync();
        await journey.CountingWorkerProcessAsync(dispatcher);
        using var fresh = new HttpClient(tls.Handler(isFresh: true));
        fresh.DefaultRequestHeaders.Authorization = new("Bearer", await dispatcher.MakeKeyAsync("billing", "producer"));
        var submits = new List<HttpStatusCode>();
        async Task<bool> SubmitAsync()
        {
            using var body = new ByteArrayContent(AJob.On(Topic).Body()) { Headers = { ContentType = new("application/json") } };
            using var answer = await fresh.PostAsync(new Uri(dispatcher.Address + "/api/jobs"), body, Now);
            submits.Add(answer.StatusCode);
            return answer.IsSuccessStatusCode;
        }

        var before = await SerialAsync(dispatcher.Address);
        Assert.Equal(tls.Serial, before);
        Assert.True(await SubmitAsync());
        tls.Renew();

        await Eventually.IsAsync(
            async () => await SubmitAsync() && await SerialAsync(dispatcher.Address) == tls.Serial,
            () => "new connections get the renewed certificate\n" + journey.Logs(),
            TimeSpan.FromSeconds(60)
        );
        await Eventually.IsAsync(SubmitAsync, () => "a job is accepted with the renewed certificate", TimeSpan.FromSeconds(10));
        Assert.NotEqual(before, tls.Serial);
        Assert.All(submits, status => Assert.Equal(HttpStatusCode.Accepted, status));
        await journey.SettledAsync(submits.Count);
        Assert.Equal(submits.Count, await journey.Records.CountAsync("succeeded", Topic));
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task Oversized_bodies_and_odd_headers_close_no_connection_with_TLS()
    {
        await using var journey = await Journey.BeginAsync();
        await journey.UseTlsAsync();
        var dispatcher = await journey.DispatcherProcessAsync();
        await journey.CountingWorkerProcessAsync(dispatcher);
        var billing = await journey.ProducerAsync();
        var connections = await journey.ServerConnectionsAsync();
        var job = AJob.On(Topic);

        await billing.PublishAsync([new Parcel(Topic, new byte[65 * 1_048_576], "large")]);
        await using (var raw = await RawPublisher.ConnectAsync(journey.Name, "billing"))
        {
            await raw.PublishAsync("dispatcher.jobs", Topic, RawPublisher.Decimal(scale: 29), job.Body());
        }

        await journey.SettledAsync(1);
        await Eventually.IsAsync(() => billing.RefusalsOf("large").Count > 0, "the producer is answered\n" + journey.Logs());
        Assert.Equal("body_too_large", Assert.Single(Assert.Single(billing.RefusalsOf("large")).Errors).Code);
        Assert.Subset((await journey.ServerConnectionsAsync()).ToHashSet(), connections.ToHashSet());
        await journey.EndsWellAsync(expectedDeadLetters: 1);
    }

    [Fact]
    public async Task Connection_that_is_not_TLS_or_not_verified_is_refused_and_named()
    {
        await using var journey = await Journey.BeginAsync();
        var tls = await journey.UseTlsAsync();
        var (plain, encrypted) = (Servers.BrokerAs(Journey.ServerUser, journey.Name), journey.BrokerAs(Journey.ServerUser));
        var wrongName = Servers.TlsBrokerAs(Journey.ServerUser, journey.Name, "localhost");
        string Broker(string scheme, int port) =>
            new UriBuilder(encrypted) { Scheme = scheme, Port = port }
                .Uri
                .AbsoluteUri;
        string Database(Action<NpgsqlConnectionStringBuilder> change)
        {
            var database = new NpgsqlConnectionStringBuilder(journey.ServePostgres);
            change(database);
            return database.ConnectionString;
        }

        foreach (
            var (code, name, value, said) in new[]
            {
                (Unreachable, "DISPATCHER_RABBITMQ", Broker("amqps", plain.Port), "Check that this is a TLS port"),
                (Unreachable, "DISPATCHER_RABBITMQ", Broker("amqp", encrypted.Port), "For a TLS port write amqps://"),
                (Unreachable, "DISPATCHER_RABBITMQ", wrongName.AbsoluteUri, "the certificate of localhost is for other names (127.0.0.1)"),
                (Unreachable, "SSL_CERT_FILE", "/dev/null", "has no trusted CA"),
                (
                    Unreachable,
                    "DISPATCHER_POSTGRES",
                    Database(to => to.SslMode = SslMode.Disable),
                    "If that requires TLS, add SSL Mode=VerifyFull"
                ),
                (Unreachable, "DISPATCHER_POSTGRES", Database(to => to.Host = "localhost"), "the certificate of the server is refused"),
                (
                    Unreachable,
                    "DISPATCHER_POSTGRES",
                    Database(to => to.RootCertificate = tls.AuthorityFile),
                    "the certificate of the server is refused"
                ),
                (WrongUse, "DISPATCHER_POSTGRES", Database(to => to.RootCertificate = "/dev/null"), "Root Certificate"),
            }
        )
        {
            var environment = new Dictionary<string, string>(tls.Server)
            {
                ["DISPATCHER_RABBITMQ"] = encrypted.AbsoluteUri,
                ["DISPATCHER_POSTGRES"] = journey.ServePostgres,
                [name] = value,
            };
            string[] call = ["serve", "--urls", "https://127.0.0.1:0", "--policies", journey.Policies.Folder, "--audit", journey.Audit];
            await using var server = ChildProcess.OfOutput("dispatcher.dll", environment, call);

            Assert.True(await server.EndAsync(TimeSpan.FromSeconds(60)) == code, $"{name}={value}: {server.Log}");
            Assert.Contains(said, server.Log, StringComparison.Ordinal);
        }
    }

    /// <summary>The sessions of a role without TLS, as the database sees them.</summary>
    private static async Task<long> PlainSessionsAsync(Journey journey, string role)
    {
        await using var sessions = journey.Database.CreateCommand(
            "select count(*) filter (where not ssl) + case when count(*) = 0 then 1000 else 0 end "
                + "from pg_stat_ssl join pg_stat_activity using (pid) where usename = $1 and datname = current_database()"
        );
        sessions.Parameters.AddWithValue(role);
        return (long)(await sessions.ExecuteScalarAsync(Now))!;
    }

    /// <summary>The serial number of the certificate that a new connection gets.</summary>
    private static async Task<string> SerialAsync(string address)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, new Uri(address).Port, Now);
#pragma warning disable CA5359 // Reads the certificate and sends nothing.
        await using var stream = new SslStream(client.GetStream(), false, (_, _, _, _) => true);
#pragma warning restore CA5359
        await stream.AuthenticateAsClientAsync("127.0.0.1");
        return ((X509Certificate2)stream.RemoteCertificate!).SerialNumber;
    }
}
