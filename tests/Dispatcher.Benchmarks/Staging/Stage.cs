using Npgsql;

namespace Dispatcher.Benchmarks.Staging;

/// <summary>What one contestant has for one round: a new virtual host, a new migrated database and an empty folder.</summary>
internal sealed class Stage : IAsyncDisposable
{
    /// <summary>The broker user of the server, or of the contestant's one process.</summary>
    public const string ServerUser = "server";

    /// <summary>The broker user that submits jobs; also their principal.</summary>
    public const string Producer = "bench";

    public const string WorkerUser = "worker-bench";

    private static int _count;

    private readonly BrokerAdmin _broker;
    private readonly bool _ownsDatabase;

    private Stage(PrivateServers servers, BrokerAdmin broker, string? database)
    {
        Servers = servers;
        _broker = broker;
        Vhost = $"bench{Interlocked.Increment(ref _count)}";
        DatabaseName = database ?? Vhost;
        _ownsDatabase = database is null;
        Folder = Path.Combine(servers.Folder, Vhost);
        Postgres = servers.Postgres(DatabaseName);
        Database = NpgsqlDataSource.Create(Postgres + ";Maximum Pool Size=1;No Reset On Close=true");
    }

    public PrivateServers Servers { get; }

    public string Vhost { get; }

    public string DatabaseName { get; }

    public string Folder { get; }

    public string Postgres { get; }

    /// <summary>For a few statements of the benchmark itself.</summary>
    public NpgsqlDataSource Database { get; }

    /// <param name="servers">Where it is made.</param>
    /// <param name="broker">The management API of the broker.</param>
    /// <param name="cancellationToken">Ends the making.</param>
    /// <param name="database">A migrated database, which stays. Null: a new one, which is dropped with the stage.</param>
    public static async Task<Stage> MakeAsync(
        PrivateServers servers,
        BrokerAdmin broker,
        CancellationToken cancellationToken,
        string? database = null
    )
    {
        var stage = new Stage(servers, broker, database);
        try
        {
            Directory.CreateDirectory(stage.Folder);
            await broker.MakeVhostAsync(stage.Vhost, [ServerUser, Producer, WorkerUser], cancellationToken);
            if (database is null)
            {
                await MakeDatabaseAsync(servers, stage.DatabaseName, cancellationToken);
            }

            return stage;
        }
        catch
        {
            await stage.DisposeAsync();
            throw;
        }
    }

    public Uri BrokerAs(string user) => _broker.AddressOf(user, Vhost);

    public Task<long> PublishedAsync(CancellationToken cancellationToken) => _broker.PublishedAsync(Vhost, cancellationToken);

    /// <summary>Creates a database with the tables of the server.</summary>
    public static async Task MakeDatabaseAsync(PrivateServers servers, string name, CancellationToken cancellationToken)
    {
        await ExecuteAsync(servers, $"create database \"{name}\"", cancellationToken);
        var dispatcher = Path.Combine(AppContext.BaseDirectory, "dispatcher.dll");
        await ProgramProcess.RunAsync(
            "dotnet",
            [dispatcher, "migrate"],
            cancellationToken,
            ("DISPATCHER_POSTGRES", servers.Postgres(name))
        );
    }

    public async Task<T> ReadAsync<T>(string sql, CancellationToken cancellationToken)
    {
        await using var command = Database.CreateCommand(sql);
        command.CommandTimeout = 0;
        return (T)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    /// <summary>Transactions of its database since it was made, without the last ones of connections that are open.</summary>
    public Task<long> CommitsAsync(CancellationToken cancellationToken) =>
        ReadAsync<long>("select xact_commit from pg_stat_database where datname = current_database()", cancellationToken);

    /// <summary>Statements in its database since it was made. The extension is in <c>postgres</c> and counts for all.</summary>
    public async Task<long> StatementsAsync(CancellationToken cancellationToken)
    {
        await using var postgres = NpgsqlDataSource.Create(Servers.Postgres("postgres") + ";Pooling=false");
        await using var command = postgres.CreateCommand(
            "select coalesce(sum(calls), 0)::bigint from pg_stat_statements s join pg_database d on d.oid = s.dbid where d.datname = $1"
        );
        command.Parameters.AddWithValue(DatabaseName);
        return (long)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    public async ValueTask DisposeAsync()
    {
        await Database.DisposeAsync();
        await _broker.DropVhostAsync(Vhost);
        if (_ownsDatabase)
        {
            await ExecuteAsync(Servers, $"drop database if exists \"{DatabaseName}\" with (force)", CancellationToken.None);
        }
    }

    private static async Task ExecuteAsync(PrivateServers servers, string sql, CancellationToken cancellationToken)
    {
        await using var postgres = NpgsqlDataSource.Create(servers.Postgres("postgres") + ";Pooling=false");
        await using var command = postgres.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
