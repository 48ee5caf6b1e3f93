using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Dispatcher.Base;
using Dispatcher.CommandLine.Diagnosing;
using Dispatcher.CommandLine.Identities;

namespace Dispatcher.StoreTests.CommandLine.Diagnosing;

/// <summary>
/// <c>dispatcher doctor</c> on the real broker and database: a healthy configuration has no finding, and each planted mistake is the only
/// one that it finds.
/// </summary>
public sealed class DoctorTests() : StoreTest(StoreKind.Postgres)
{
    /// <summary>A broker with the settings of RabbitMQ 3 accepts large messages. Its configuration is not that of a test.</summary>
    private const string BrokersOwn = "broker_message_size";

    /// <summary>A mistake, the code of its finding, a part of its fix, and how it is made and undone.</summary>
    private sealed record Plant(
        string Code,
        string Fix,
        Func<DoctorStage, Task>? Make = null,
        Func<DoctorStage, Task>? Undo = null,
        Func<DoctorStage, ServerSettings>? Settings = null,
        TimeProvider? Time = null
    );

    private static readonly Plant[] OnTheBroker =
    [
        new(
            "broker",
            "Correct user and password",
            Settings: stage => stage.Settings with { RabbitMq = stage.BrokerAs(stage.Name, "wrong", stage.Name) }
        ),
        new("broker", "rabbitmqctl add_vhost", Settings: stage => With(stage, broker => broker[..^stage.Name.Length] + "nowhere")),
        new("broker", "Check host and port", Settings: stage => stage.Settings with { RabbitMq = "amqp://a:b@127.0.0.1:1/" }),
        new("guest", "identity create", Settings: stage => stage.Settings with { RabbitMq = stage.BrokerAs("guest", "guest", stage.Name) }),
        new("broker_rights", "rabbitmqctl set_permissions", stage => stage.PermitAsync(stage.Rights with { Configure = "^$" }), GoodRights),
        new("broker_rights_beyond_need", "rabbitmqctl set_permissions", stage => stage.PermitAsync(new(".*", ".*", ".*")), GoodRights),
        new("broker_tags", "rabbitmqctl set_user_tags", stage => stage.SetTagsAsync("administrator"), stage => stage.SetTagsAsync("")),
        new(
            "broker_policy",
            "'planted'. Or",
            stage => PolicyAsync(stage, "policies", """{"pattern":"^dispatcher","definition":{"max-length":10},"apply-to":"queues"}"""),
            stage => stage.DeleteAsync($"api/policies/{stage.Name}/planted")
        ),
        new(
            "broker_policy",
            "rabbitmqctl clear_operator_policy",
            stage =>
                PolicyAsync(stage, "operator-policies", """{"pattern":"work","definition":{"message-ttl":1000},"apply-to":"queues"}"""),
            stage => stage.DeleteAsync($"api/operator-policies/{stage.Name}/planted")
        ),
        new(
            "topology_arguments",
            "dispatcher queues migrate\"; it keeps the messages.",
            stage =>
                stage.PutAsync(
                    $"api/queues/{stage.Name}/dispatcher.work.shell",
                    """{"durable":true,"arguments":{"x-queue-type":"classic"}}"""
                ),
            stage => stage.DeleteAsync($"api/queues/{stage.Name}/dispatcher.work.shell")
        ),
        new(
            "topology_arguments",
            "DELETE /api/exchanges/doctor-",
            stage => stage.PutAsync($"api/exchanges/{stage.Name}/dispatcher.events", """{"durable":true,"type":"fanout"}"""),
            stage => stage.DeleteAsync($"api/exchanges/{stage.Name}/dispatcher.events")
        ),
        new(
            "management",
            "Correct user and password",
            stage =>
                Variable(
                    stage,
                    BrokerManagement.SettingName,
                    value => value.Replace("guest:guest", "guest:wrong", StringComparison.Ordinal)
                ),
            stage =>
                Variable(
                    stage,
                    BrokerManagement.SettingName,
                    value => value.Replace("guest:wrong", "guest:guest", StringComparison.Ordinal)
                )
        ),
    ];

    private static readonly Plant[] InTheDatabase =
    [
        new(
            "database",
            "Create the database",
            Settings: stage =>
                stage.Settings with
                {
                    Postgres = stage.Settings.Postgres!.Replace("store_test_", "gone_", StringComparison.Ordinal),
                }
        ),
        new(
            "database",
            "Check host and port",
            Settings: stage => stage.Settings with { Postgres = "Host=127.0.0.1;Port=1;Username=a;Database=b" }
        ),
        new(
            "role_beyond_need",
            "identity create",
            Settings: stage => stage.Settings with { Postgres = stage.Database.PostgresConnectionString }
        ),
        new(
            "role_beyond_need",
            "dispatcher migrate --serve-role",
            Sql("grant update on timeline to {0}"),
            Sql("revoke update on timeline from {0}")
        ),
        new(
            "role_beyond_need",
            "dispatcher migrate --serve-role",
            Sql("grant create on schema public to {0}"),
            Sql("revoke create on schema public from {0}")
        ),
        new(
            "role_lacks_rights",
            "dispatcher migrate --serve-role",
            Sql("revoke insert on jobs from {0}"),
            Sql("grant insert on jobs to {0}")
        ),
        new(
            "database_setting",
            "synchronous_commit = on",
            Sql("alter role {0} set synchronous_commit = off"),
            Sql("alter role {0} reset synchronous_commit")
        ),
        new(
            "tables_ahead",
            "version that migrated",
            Sql("insert into \"__EFMigrationsHistory\" values ('99999999999999_Later', '10')"),
            Sql("delete from \"__EFMigrationsHistory\" where \"MigrationId\" like '9999%'")
        ),
        new("clock", "timedatectl", Time: new Shifted(TimeSpan.FromSeconds(30))),
        // The last one: its row is not written again.
        new(
            "tables_behind",
            "dispatcher migrate",
            Sql(
                "delete from \"__EFMigrationsHistory\" where \"MigrationId\" = (select max(\"MigrationId\") from \"__EFMigrationsHistory\")"
            )
        ),
    ];

    private static readonly Plant[] OnTheMachine =
    [
        new("policies", "Name the folder", Settings: stage => stage.Settings with { PolicyFolder = "/nowhere" }),
        new("policies", "dispatcher policy lint", Settings: stage => stage.Settings with { PolicyFolder = BrokenPolicies(stage) }),
        new(
            "audit_folder",
            "install -d",
            Settings: stage => stage.Settings with { AuditFolder = Path.Combine(stage.Write("file", ""), "audit") }
        ),
        new("certificate", "Renew the certificate", Settings: stage => Https(stage, Certificate("localhost", -1))),
        new("certificate", "private key", Settings: stage => Https(stage, Certificate("localhost", 90), otherKey: true)),
        new("certificate_expires", "Renew it", Settings: stage => Https(stage, Certificate("localhost", 3))),
        new("certificate_name", "subjectAltName localhost", Settings: stage => Https(stage, Certificate("other.example", 90))),
    ];

    /// <summary>The extension grants SELECT on its views to PUBLIC.</summary>
    [Fact]
    public async Task Objects_of_an_extension_are_no_right_beyond_need()
    {
        await using var stage = await DoctorStage.BeginAsync(Database);
        await stage.Database.ExecuteAsync("create extension pg_stat_statements");

        var diagnosis = await stage.DiagnoseAsync();
        await stage.Database.ExecuteAsync("drop extension pg_stat_statements");

        Assert.DoesNotContain(diagnosis.Findings, finding => finding.Code == "role_beyond_need");
    }

    [Fact]
    public async Task Each_planted_mistake_is_the_only_finding_and_has_its_fix()
    {
        await using var stage = await DoctorStage.BeginAsync(Database);
        var healthy = await stage.DiagnoseAsync();
        Assert.DoesNotContain(healthy.Findings, finding => finding.Code != BrokersOwn);
        Assert.Empty(healthy.NotChecked);

        foreach (var plant in (Plant[])[.. OnTheBroker, .. OnTheMachine, .. InTheDatabase])
        {
            await (plant.Make?.Invoke(stage) ?? Task.CompletedTask);
            var diagnosis = await stage.DiagnoseAsync(plant.Settings?.Invoke(stage), plant.Time);
            await (plant.Undo?.Invoke(stage) ?? Task.CompletedTask);

            var found = diagnosis.Findings.Where(finding => finding.Code != BrokersOwn).ToList();
            Assert.True(
                found is [var only] && only.Code == plant.Code && only.Fix.Contains(plant.Fix, StringComparison.Ordinal),
                $"{plant.Code} ({plant.Fix}), found:\n{string.Join('\n', found)}"
            );
        }

        Assert.Empty(await stage.PartsAsync());
    }

    [Fact]
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    public async Task All_mistakes_are_found_at_once_without_a_secret()
    {
        await using var stage = await DoctorStage.BeginAsync(Database);
        stage.Variables["DISPATCHER_POSTGRES_FILE"] = stage.Write("postgres", "x", UnixFileMode.UserRead | UnixFileMode.OtherRead);
        var settings = Https(stage, Certificate("localhost", -1)) with
        {
            RabbitMq = stage.BrokerAs(stage.Name, "s3cret-of-the-broker", stage.Name),
            Postgres = stage.PostgresAs("nobody", "s3cret-of-the-database").Replace("store_test_", "gone_", StringComparison.Ordinal),
            PolicyFolder = "/nowhere",
        };

        var diagnosis = await stage.DiagnoseAsync(settings);

        Assert.Equal(
            ["broker", "certificate", "database", "policies", "secret_readable"],
            diagnosis.Findings.Select(finding => finding.Code).Order(StringComparer.Ordinal)
        );
        Assert.Equal(DoctorSeverity.Warning, diagnosis.Findings[^1].Severity);
        Assert.Equal(3, diagnosis.NotChecked.Count);
        Assert.DoesNotContain("s3cret", string.Join('\n', diagnosis.Findings), StringComparison.Ordinal);
    }

    private static ServerSettings With(DoctorStage stage, Func<string, string> broker) =>
        stage.Settings with
        {
            RabbitMq = broker(stage.Settings.RabbitMq!),
        };

    private static Task GoodRights(DoctorStage stage) => stage.PermitAsync(stage.Rights);

    private static Task PolicyAsync(DoctorStage stage, string kind, string body) =>
        stage.PutAsync($"api/{kind}/{stage.Name}/planted", body);

    private static Task Variable(DoctorStage stage, string name, Func<string, string> change)
    {
        stage.Variables[name] = change(stage.Variables[name]);
        return Task.CompletedTask;
    }

    private static Func<DoctorStage, Task> Sql(string statement) =>
        stage => stage.Database.ExecuteAsync(statement.Replace("{0}", $"\"{stage.Name}\"", StringComparison.Ordinal));

    private static string BrokenPolicies(DoctorStage stage) =>
        Path.GetDirectoryName(stage.Write(Path.Combine("broken", "topics.yaml"), "version: v1\ntopics: ["))!;

    private static ServerSettings Https(DoctorStage stage, X509Certificate2 certificate, bool otherKey = false)
    {
        using var key = otherKey ? ECDsa.Create(ECCurve.NamedCurves.nistP256) : certificate.GetECDsaPrivateKey()!;
        return stage.Settings with
        {
            Urls = "https://localhost:8443",
            TlsCertificateFile = stage.Write("tls.pem", certificate.ExportCertificatePem()),
            TlsKeyFile = stage.Write("tls.key", key.ExportPkcs8PrivateKeyPem()),
        };
    }

    /// <summary>Self-signed, valid until some days from now.</summary>
    private static X509Certificate2 Certificate(string host, int days)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={host}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(host);
        request.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        return request.CreateSelfSigned(now.AddDays(-10), now.AddDays(days));
    }

    /// <summary>The clock of a machine that is ahead.</summary>
    private sealed class Shifted(TimeSpan ahead) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + ahead;
    }
}
