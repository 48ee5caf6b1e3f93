using Dispatcher.Worker.Effects;
using Npgsql;

namespace Dispatcher.UnitTests.Worker.Effects;

public sealed class PostgresConnectionTests
{
    [Theory]
    [InlineData(
        "postgres://ana:s%2Fe%40c@db:6543/jobs?sslmode=require",
        "Host=db;Port=6543;Username=ana;Password=s/e@c;Database=jobs;SSL Mode=Require"
    )]
    [InlineData("postgresql://ana@db", "Host=db;Username=ana")]
    [InlineData("POSTGRES://db/jobs", "Host=db;Database=jobs")]
    [InlineData("postgres://ana:secret@[::1]:6543/jobs", "Host=::1;Port=6543;Username=ana;Password=secret;Database=jobs")]
    [InlineData(
        "postgres://ana@a:5432,b:5433/jobs?target_session_attrs=any",
        "Host=a:5432,b:5433;Username=ana;Database=jobs;Target Session Attributes=any"
    )]
    [InlineData("postgres:///jobs?host=db&user=ana&connect_timeout=3", "Host=db;Username=ana;Database=jobs;Timeout=3")]
    [InlineData(
        "postgres://db/jobs?sslmode=verify-full&application_name=a%20b",
        "Host=db;Database=jobs;SSL Mode=VerifyFull;Application Name=a b"
    )]
    [InlineData("postgres://db/jobs?Maximum%20Pool%20Size=7", "Host=db;Database=jobs;Maximum Pool Size=7")]
    [InlineData("Server=db;User Id=ana;Database=jobs", "Host=db;Username=ana;Database=jobs")]
    public void URL_and_connection_string_name_the_same_database(string given, string expected) =>
        Assert.True(
            PostgresConnection.Read(given).EquivalentTo(new NpgsqlConnectionStringBuilder(expected)),
            $"{PostgresConnection.Read(given)}"
        );

    [Fact]
    public void URL_with_a_CA_verifies_the_server_by_it()
    {
        var file = Path.GetTempFileName();
        using var authority = ACertificate.Authority("test CA");
        File.WriteAllText(file, authority.Pem());

        var read = PostgresConnection.Read($"postgres://ana@db/jobs?sslmode=verify-full&sslrootcert={Uri.EscapeDataString(file)}");

        Assert.Equal((SslMode.VerifyFull, file), (read.SslMode, read.RootCertificate));
        File.Delete(file);
    }

    [Theory]
    [InlineData("postgres://ana:hush@db/jobs?sslmode=verify-full&sslrootcert=/no/such/ca.pem", "/no/such/ca.pem")]
    [InlineData("Host=db;Password=hush;SSL Mode=VerifyFull;Root Certificate=/dev/null", "no certificate")]
    [InlineData("Hosst=db;Password=hush", "hosst")]
    [InlineData("Host=db;Port=abc;Password=hush", "abc")]
    [InlineData("Host=db;Password=hush;SSL Mode=sometimes", "sometimes")]
    [InlineData("Username=ana;Password=hush", "no host")]
    [InlineData("hush", "neither")]
    [InlineData("db:5432/hush", "neither")]
    [InlineData("postgres://ana:hu/sh@db/jobs", "percent-encoded")]
    [InlineData("postgres://ana:hush%@db/jobs", "%25")]
    [InlineData("postgres://ana:hush@db:port/jobs", "port")]
    [InlineData("postgres://ana:hush@db/jobs?sslmod=require", "sslmod")]
    [InlineData("postgres://ana:hush@/jobs", "no host")]
    [InlineData("mysql://ana:hush@db/jobs", "neither")]
    public void Wrong_connection_string_is_refused_with_its_wrong_part_and_without_its_secret(string given, string named)
    {
        var refused = Assert.Throws<PostgresConnectionException>(() => PostgresConnection.Read(given));

        Assert.Contains(named, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hush", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("sh@", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("postgres://db/jobs", true)]
    [InlineData("Host=db", true)]
    [InlineData("server=db", true)]
    [InlineData("/var/lib/worker/effects.db", false)]
    public void Path_of_a_file_is_not_read_as_a_database_server(string text, bool isOne) =>
        Assert.Equal(isOne, PostgresConnection.IsOne(text));
}
