using System.Globalization;
using Npgsql;

namespace Dispatcher.Benchmarks.Staging;

/// <summary>A RabbitMQ and a PostgreSQL of this run alone, started and ended by <c>ops/servers.sh</c>.</summary>
internal sealed class PrivateServers : IAsyncDisposable
{
    private readonly string _folder;
    private Dictionary<string, string> _exports = [];

    private PrivateServers(string folder) => _folder = folder;

    /// <summary>For everything that a run writes.</summary>
    public string Folder => _folder;

    public Uri RabbitMq => new(_exports["DISPATCHER_TEST_RABBITMQ"]);

    public Uri Management => new(_exports["DISPATCHER_TEST_RABBITMQ_MANAGEMENT"]);

    public int BrokerProcess => ProcessOf("rabbitmq");

    public int PostgresProcess => ProcessOf("postgres");

    /// <summary>Whether the extension that counts statements is there.</summary>
    public bool CountsStatements { get; private set; }

    public static async Task<PrivateServers> StartAsync(CancellationToken cancellationToken)
    {
        var servers = new PrivateServers(Directory.CreateTempSubdirectory("dispatcher-benchmark-").FullName);
        try
        {
            await RunAsync(cancellationToken, "start", servers._folder);
            servers._exports = await ReadExportsAsync(Path.Combine(servers._folder, "exports"), cancellationToken);
            await servers.CountStatementsAsync(cancellationToken);
            return servers;
        }
        catch
        {
            await servers.DisposeAsync();
            throw;
        }
    }

    public string Postgres(string database) =>
        new NpgsqlConnectionStringBuilder(_exports["DISPATCHER_TEST_POSTGRES"]) { Database = database }.ConnectionString;

    public async ValueTask DisposeAsync()
    {
        await RunAsync(CancellationToken.None, "stop", _folder);
        Directory.Delete(_folder, recursive: true);
    }

    private async Task CountStatementsAsync(CancellationToken cancellationToken)
    {
        await using var database = NpgsqlDataSource.Create(Postgres("postgres") + ";Pooling=false");
        await using var available = database.CreateCommand(
            "select exists (select from pg_available_extensions where name = 'pg_stat_statements')"
        );
        if (await available.ExecuteScalarAsync(cancellationToken) is not true)
        {
            return;
        }

        await using var load = database.CreateCommand("alter system set shared_preload_libraries = 'pg_stat_statements'");
        await load.ExecuteNonQueryAsync(cancellationToken);
        await RunAsync(cancellationToken, "restart", "postgres", _folder);
        await using var create = database.CreateCommand("create extension pg_stat_statements");
        await create.ExecuteNonQueryAsync(cancellationToken);
        CountsStatements = true;
    }

    private static Task RunAsync(CancellationToken cancellationToken, params string[] arguments) =>
        ProgramProcess.RunAsync("bash", [Path.Combine(Repository.Root, "ops", "servers.sh"), .. arguments], cancellationToken);

    private int ProcessOf(string name) =>
        int.Parse(File.ReadAllText(Path.Combine(_folder, name + ".pid")).Trim(), CultureInfo.InvariantCulture);

    private static async Task<Dictionary<string, string>> ReadExportsAsync(string file, CancellationToken cancellationToken) =>
        (await File.ReadAllLinesAsync(file, cancellationToken))
            .Select(line => line["export ".Length..].Split('=', 2))
            .ToDictionary(pair => pair[0], pair => pair[1].Trim('\''));
}
