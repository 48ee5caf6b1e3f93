using System.Net;
using System.Net.Http.Headers;
using Dispatcher.JourneyTests.Staging;
using Npgsql;
using RabbitMQ.Client.Exceptions;

namespace Dispatcher.JourneyTests;

/// <summary>Identities from their creation to their revocation, on a real broker, server and database.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class IdentityLifeJourneys
{
    [Fact]
    public async Task Existing_identity_is_refused_and_accepted_only_if_it_is_whole()
    {
        await using var stage = await IdentityStage.BeginAsync();
        string[] create = ["create", stage.Named("spare"), "--kind", "server", "--secrets", stage.Secrets];
        Assert.Equal(0, (await stage.RunAsync(create)).Code);
        var password = await stage.ReadAsync("spare", "rabbitmq");

        var again = await stage.RunAsync(create);
        var whole = await stage.RunAsync([.. create, "--if-missing", "--json"]);
        var other = await stage.RunAsync(["create", stage.Named("spare"), "--kind", "monitoring", "--if-missing"]);
        File.Delete(stage.Secret("spare", "postgres"));
        var lost = await stage.RunAsync([.. create, "--if-missing"]);

        Assert.Equal((1, 0, 1, 1), (again.Code, whole.Code, other.Code, lost.Code));
        Assert.Contains("exists: a broker user, a database role", again.Output, StringComparison.Ordinal);
        Assert.Contains("\"created\":false", whole.Output, StringComparison.Ordinal);
        Assert.Contains("differs from what is asked for", lost.Output, StringComparison.Ordinal);
        Assert.Equal(password, await stage.ReadAsync("spare", "rabbitmq"));
        await using var connection = await stage.ConnectAsync("spare");
        Assert.True(connection.IsOpen);
        Assert.All(
            Directory.GetFiles(Path.GetDirectoryName(stage.Secret("spare", "rabbitmq"))!),
            file => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file))
        );
    }

    [Fact]
    public async Task A_part_that_fails_removes_the_parts_before_it()
    {
        await using var stage = await IdentityStage.BeginAsync();
        await using var broken = await BrokenServerAsync();
        var worker = stage.Named("worker");
        string[] create = ["create", worker, "--kind", "worker", "--pool", "repo", "--effects", "--secrets", stage.Secrets];

        var failed = await stage.RunAsync(create, ("DISPATCHER_URL", broken.Urls.Single()), ("DISPATCHER_API_KEY", "any-key"));
        var listed = await stage.RunAsync(["list", "--json"]);

        Assert.Equal(3, failed.Code);
        Assert.Contains($"{worker} was not created, and nothing of it is left", failed.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(worker, listed.Output, StringComparison.Ordinal);
        Assert.False(File.Exists(stage.Secret("worker", "rabbitmq")));
        Assert.False(await HasRoleAsync(stage, worker));
    }

    [Fact]
    public async Task Check_finds_planted_problems_and_its_fix_ends_them()
    {
        await using var stage = await IdentityStage.BeginAsync();
        await stage.ServeAsync();
        await stage.WorkAsync();
        await stage.CreateAsync("producer", "--kind", "producer", "--topic", "job.repo.*");
        await FindsAsync(stage, "producer: no_owner", "producer: unused");

        await ExecuteAsync(stage, $"grant delete on timeline to \"{stage.Named("server")}\"");
        await FindsAsync(stage, "producer: no_owner", "producer: unused", "server: database_rights");
        var migrated = await CommandLineRun.OfAsync(
            new Dictionary<string, string>(),
            "migrate",
            "--postgres",
            stage.Journey.Postgres,
            "--serve-role",
            stage.Named("server")
        );
        Assert.True(migrated.Code == 0, migrated.Output);
        await FindsAsync(stage, "producer: no_owner", "producer: unused");

        await Servers.MakeUserAsync(stage.Journey.Name, stage.Named("worker"), ".*", ".*", ".*");
        await using var stranger = await stage.ConnectAsync("server");
        await FindsAsync(
            stage,
            "producer: no_owner",
            "producer: unused",
            "server: shared",
            "worker: default_exchange",
            "worker: every_topic"
        );
    }

    [Fact]
    public async Task Revoked_identity_loses_its_connections_key_and_sessions_at_once()
    {
        await using var stage = await IdentityStage.BeginAsync();
        await stage.ServeAsync();
        await stage.CreateAsync("producer", "--kind", "producer", "--topic", "job.repo.*");
        await stage.CreateAsync("spare", "--kind", "server");
        await using var connection = await stage.ConnectAsync("producer");
        await using var database = await stage.DatabaseAsync("spare", "postgres");
        await using var session = await database.OpenConnectionAsync(Now);
        Assert.Equal(HttpStatusCode.OK, await StatusOfKeyAsync(stage));

        var producer = await stage.RunAsync(["revoke", stage.Named("producer")]);
        var spare = await stage.RunAsync(["revoke", stage.Named("spare")]);

        Assert.True((producer.Code, spare.Code) == (0, 0), producer.Output + spare.Output);
        await Eventually.IsAsync(() => !connection.IsOpen, "the broker closes the connection");
        await Assert.ThrowsAsync<BrokerUnreachableException>(() => stage.ConnectAsync("producer"));
        await Eventually.IsAsync(
            async () => await StatusOfKeyAsync(stage) == HttpStatusCode.Unauthorized,
            () => "the server refuses the key",
            TimeSpan.FromSeconds(20)
        );
        await using var command = new NpgsqlCommand("select 1", session);
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => command.ExecuteScalarAsync(Now));
        Assert.False(await HasRoleAsync(stage, stage.Named("spare")));

        var again = await stage.RunAsync(["revoke", stage.Named("spare"), "--json"]);
        Assert.Equal(0, again.Code);
        Assert.Contains("\"broker_user\":\"none\",\"keys\":\"none\",\"database_role\":\"none\"", again.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Role_that_owns_a_table_is_locked_and_its_table_is_kept()
    {
        await using var stage = await IdentityStage.BeginAsync();
        await stage.CreateAsync("spare", "--kind", "server");
        await ExecuteAsync(stage, $"create table mine (id int); alter table mine owner to \"{stage.Named("spare")}\"");

        var revoked = await stage.RunAsync(["revoke", stage.Named("spare")], ("DISPATCHER_API_KEY", ""));

        Assert.Contains("locked; it owns objects", revoked.Output, StringComparison.Ordinal);
        await using var database = await stage.DatabaseAsync("spare", "postgres");
        var refused = await Assert.ThrowsAsync<PostgresException>(async () => await database.OpenConnectionAsync(Now));
        Assert.Contains("is not permitted to log in", refused.Message, StringComparison.Ordinal);
        await ExecuteAsync(stage, "select * from mine; drop table mine");
    }

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    /// <summary>Knows no keys, and cannot make one.</summary>
    private static async Task<WebApplication> BrokenServerAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var server = builder.Build();
        server.MapGet("/api/keys", () => new { items = Array.Empty<object>() });
        server.MapPost("/api/keys", () => Results.Problem("no space", statusCode: 500));
        await server.StartAsync(Now);
        return server;
    }

    /// <summary>The broker lists a new connection after some seconds.</summary>
    private static async Task FindsAsync(IdentityStage stage, params string[] expected)
    {
        IReadOnlyList<string> found = [];
        await Eventually.IsAsync(
            async () => (found = await stage.FindingsAsync()).SequenceEqual(expected),
            () => $"the findings are {string.Join(", ", expected)}, and not {string.Join(", ", found)}",
            TimeSpan.FromSeconds(40)
        );
    }

    private static async Task<HttpStatusCode> StatusOfKeyAsync(IdentityStage stage)
    {
        using var http = new HttpClient { BaseAddress = new Uri(stage.Address) };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", await stage.ReadAsync("producer", "api-key"));
        using var answer = await http.GetAsync(new Uri("/api/jobs", UriKind.Relative), Now);
        return answer.StatusCode;
    }

    private static async Task<bool> HasRoleAsync(IdentityStage stage, string role)
    {
        await using var command = stage.Journey.Database.CreateCommand("select 1 from pg_roles where rolname = $1");
        command.Parameters.AddWithValue(role);
        return await command.ExecuteScalarAsync(Now) is not null;
    }

    private static async Task ExecuteAsync(IdentityStage stage, string sql)
    {
#pragma warning disable CA2100 // Texts of this test.
        await using var command = stage.Journey.Database.CreateCommand(sql);
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync(Now);
    }
}
