using System.Data.Common;
using System.Globalization;
using System.Text.Json;
using Dispatcher.Worker.Pools;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Npgsql;
using Polly;

namespace Dispatcher.Worker.Effects;

/// <summary>Who causes an effect, and how long its run may take at most.</summary>
internal sealed record EffectOwner(Guid JobId, int Attempt, Guid RunId)
{
    /// <summary>A run takes no longer. Default a day, the longest limit there is.</summary>
    public TimeSpan RunLimit { get; init; } = TimeSpan.FromDays(1);
}

/// <summary>
/// The pool's effect store, on PostgreSQL or SQLite with the same statements. Every write first raises the job's fence to its attempt in the same transaction, and a
/// lower attempt is refused; on PostgreSQL the fence row's lock makes effects of one job wait for each other.
/// </summary>
internal sealed partial class PoolEffectStore : IDisposable
{
    /// <summary>After its limit a run may still end what it has begun.</summary>
    private static readonly TimeSpan IdleGrace = TimeSpan.FromSeconds(5);

    // Else the transaction of a host that died without a word would keep the fence from later attempts for hours.
    private const string LimitIdle = "select set_config('idle_in_transaction_session_timeout', @idle, true);";

    private const string Schema = """
        create table if not exists dispatcher_effects (
            job_id text not null, effect_key text not null, state text not null, attempt integer not null, run_id text not null,
            result text, changed_at bigint not null, primary key (job_id, effect_key));
        create table if not exists dispatcher_effect_fences (job_id text not null primary key, attempt integer not null);
        """;

    private readonly DbDataSource _database;
    private readonly TimeProvider _clock;
    private readonly string _prepare;
    private readonly ResiliencePipeline _whileLost;

    private PoolEffectStore(DbDataSource database, TimeProvider clock, ILogger log, string prepare)
    {
        (_database, _clock, _prepare) = (database, clock, prepare);
        _whileLost = WorkerRetry.UntilSuccess(clock, exception => Log.StoreLost(log, exception.GetBaseException().Message), IsLost);
    }

    /// <param name="store">A PostgreSQL connection string, with <c>Host=</c>, a <c>postgres://</c> URL, or the path of an SQLite file.</param>
    /// <param name="clock">For the rows' <c>changed_at</c>, which only people read.</param>
    /// <param name="log">Told of each retry.</param>
    public static PoolEffectStore Open(string store, TimeProvider clock, ILogger log)
    {
        if (PostgresConnection.IsOne(store))
        {
            // Two workers that start together: "if not exists" alone fails the slower one.
            return new PoolEffectStore(
                NpgsqlDataSource.Create(PostgresConnection.Read(store)),
                clock,
                log,
                "select pg_advisory_xact_lock(7160233);"
            );
        }

        MakeOwn(store);
        var file = new SqliteConnectionStringBuilder { DataSource = store }.ConnectionString;
        return new PoolEffectStore(SqliteFactory.Instance.CreateDataSource(file), clock, log, "");
    }

    /// <summary>
    /// Results of effects are for this user alone: SQLite would make the file as the umask says, and gives <c>-wal</c> and <c>-shm</c> the
    /// mode of the file. What cannot be made here is left to SQLite, which reports it.
    /// </summary>
    private static void MakeOwn(string file)
    {
        try
        {
            if (!OperatingSystem.IsWindows() && !File.Exists(file))
            {
                var made = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
                made.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
                new FileStream(file, made).Dispose();
            }
        }
        catch (Exception notMade) when (notMade is IOException or UnauthorizedAccessException) { }
    }

    public async Task CreateSchemaAsync(CancellationToken cancellationToken)
    {
        await using var connection = await _database.OpenConnectionAsync(cancellationToken);
        if (connection is SqliteConnection)
        {
            await ExecuteAsync(connection, null, "pragma journal_mode = wal", [], cancellationToken);
        }

        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await ExecuteAsync(connection, transaction, _prepare + Schema, [], cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    /// <summary>
    /// A lost database is no fault of the job: tried again until the run ends. That is safe here, since either nothing was committed, or the row that says it is
    /// done was committed with it and is found.
    /// </summary>
    public async Task<T> InTransactionAsync<T>(
        EffectOwner owner,
        string key,
        Func<DbConnection, DbTransaction, CancellationToken, Task<T>> effect,
        CancellationToken cancellationToken
    ) => await _whileLost.ExecuteAsync(async token => await TryInTransactionAsync(owner, key, effect, token), cancellationToken);

    private async Task<T> TryInTransactionAsync<T>(
        EffectOwner owner,
        string key,
        Func<DbConnection, DbTransaction, CancellationToken, Task<T>> effect,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await _database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await FenceAsync(connection, transaction, owner, cancellationToken);
        if (await FindAsync(connection, transaction, owner, key, cancellationToken) is { } row)
        {
            return row.Result is { } done ? Read<T>(done) : throw new EffectInDoubtException(key, row.Attempt);
        }

        var value = await effect(connection, transaction, cancellationToken);
        await InsertAsync(connection, transaction, owner, key, Write(value), cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return value;
    }

    /// <summary>From here on no earlier attempt of the job has effects, whether or not this one will have any.</summary>
    public async Task CloseEarlierAsync(EffectOwner owner, CancellationToken cancellationToken) =>
        await _whileLost.ExecuteAsync(
            async token =>
            {
                await using var connection = await _database.OpenConnectionAsync(token);
                await using var transaction = await connection.BeginTransactionAsync(token);
                await FenceAsync(connection, transaction, owner, token);
                await transaction.CommitAsync(token);
            },
            cancellationToken
        );

    /// <summary>Notes the effect as begun. Not null: it is done already, with this result.</summary>
    public async Task<string?> BeginAsync(EffectOwner owner, string key, bool mayRepeat, CancellationToken cancellationToken)
    {
        await using var connection = await _database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await FenceAsync(connection, transaction, owner, cancellationToken);
        var row = await FindAsync(connection, transaction, owner, key, cancellationToken);
        if (row?.Result is { } done)
        {
            return done;
        }

        if (row is not null && !mayRepeat)
        {
            throw new EffectInDoubtException(key, row.Attempt);
        }

        if (row is null)
        {
            await InsertAsync(connection, transaction, owner, key, null, cancellationToken);
        }
        else
        {
            const string takeOver =
                "update dispatcher_effects set attempt = @attempt, run_id = @run, changed_at = @at where job_id = @job and effect_key = @key";
            await ExecuteAsync(connection, transaction, takeOver, Named(owner, key), cancellationToken);
        }

        await transaction.CommitAsync(cancellationToken);
        return null;
    }

    public Task DoneAsync<T>(EffectOwner owner, string key, T value, CancellationToken cancellationToken) =>
        FinishAsync(
            owner,
            "update dispatcher_effects set state = 'done', result = @result, changed_at = @at where job_id = @job and effect_key = @key and run_id = @run and state = 'started'",
            [.. Named(owner, key), ("result", Write(value))],
            cancellationToken
        );

    public Task ForgetAsync(EffectOwner owner, string key, CancellationToken cancellationToken) =>
        FinishAsync(
            owner,
            "delete from dispatcher_effects where job_id = @job and effect_key = @key and run_id = @run and state = 'started'",
            Named(owner, key),
            cancellationToken
        );

    public static T Read<T>(string result) => JsonSerializer.Deserialize<T>(result)!;

    public void Dispose() => _database.Dispose();

    private static string Write<T>(T value) => JsonSerializer.Serialize(value);

    private async Task FinishAsync(EffectOwner owner, string sql, (string, object)[] parameters, CancellationToken cancellationToken)
    {
        await using var connection = await _database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await FenceAsync(connection, transaction, owner, cancellationToken);
        if (await ExecuteAsync(connection, transaction, sql, parameters, cancellationToken) == 0)
        {
            throw new FencedException(owner.JobId, owner.Attempt);
        }

        await transaction.CommitAsync(cancellationToken);
    }

    private static async Task FenceAsync(
        DbConnection connection,
        DbTransaction transaction,
        EffectOwner owner,
        CancellationToken cancellationToken
    )
    {
        const string raise = """
            insert into dispatcher_effect_fences as f (job_id, attempt) values (@job, @attempt)
            on conflict (job_id) do update set attempt = excluded.attempt where f.attempt <= excluded.attempt
            """;
        if (connection is NpgsqlConnection)
        {
            var idle = (owner.RunLimit + IdleGrace).TotalMilliseconds.ToString("0", CultureInfo.InvariantCulture);
            await ExecuteAsync(connection, transaction, LimitIdle, [("idle", idle)], cancellationToken);
        }

        if (
            await ExecuteAsync(
                connection,
                transaction,
                raise,
                [("job", owner.JobId.ToString()), ("attempt", owner.Attempt)],
                cancellationToken
            ) == 0
        )
        {
            throw new FencedException(owner.JobId, owner.Attempt);
        }
    }

    private Task<int> InsertAsync(
        DbConnection connection,
        DbTransaction transaction,
        EffectOwner owner,
        string key,
        string? result,
        CancellationToken cancellationToken
    ) =>
        ExecuteAsync(
            connection,
            transaction,
            "insert into dispatcher_effects (job_id, effect_key, state, attempt, run_id, result, changed_at) values (@job, @key, @state, @attempt, @run, @result, @at)",
            [.. Named(owner, key), ("state", result is null ? "started" : "done"), ("result", (object?)result ?? DBNull.Value)],
            cancellationToken
        );

    private static async Task<EffectRow?> FindAsync(
        DbConnection connection,
        DbTransaction transaction,
        EffectOwner owner,
        string key,
        CancellationToken cancellationToken
    )
    {
        await using var command = Command(
            connection,
            transaction,
            "select attempt, result from dispatcher_effects where job_id = @job and effect_key = @key",
            [("job", owner.JobId.ToString()), ("key", key)]
        );
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken)
            ? new EffectRow(reader.GetInt32(0), await reader.IsDBNullAsync(1, cancellationToken) ? null : reader.GetString(1))
            : null;
    }

    private (string, object)[] Named(EffectOwner owner, string key) =>
        [
            ("job", owner.JobId.ToString()),
            ("key", key),
            ("attempt", owner.Attempt),
            ("run", owner.RunId.ToString()),
            ("at", _clock.GetUtcNow().ToUnixTimeMilliseconds() * 1000),
        ];

    // What uses the store wraps the exception, for example Entity Framework in DbUpdateException.
    private static bool IsLost(Exception? fault) =>
        fault is DbException { IsTransient: true } || (fault is not null && IsLost(fault.InnerException));

    private static async Task<int> ExecuteAsync(
        DbConnection connection,
        DbTransaction? transaction,
        string sql,
        (string, object)[] parameters,
        CancellationToken cancellationToken
    )
    {
        await using var command = Command(connection, transaction, sql, parameters);
        return await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static DbCommand Command(
        DbConnection connection,
        DbTransaction? transaction,
        string sql,
        (string Name, object Value)[] parameters
    )
    {
        var command = connection.CreateCommand();
        command.Transaction = transaction;
#pragma warning disable CA2100 // Every text is a constant of this file.
        command.CommandText = sql;
#pragma warning restore CA2100
        foreach (var (name, value) in parameters)
        {
            var parameter = command.CreateParameter();
            (parameter.ParameterName, parameter.Value) = (name, value);
            command.Parameters.Add(parameter);
        }

        return command;
    }

    private sealed record EffectRow(int Attempt, string? Result);

    private static partial class Log
    {
        [LoggerMessage(
            WorkerEventIds.EffectStoreLost,
            LogLevel.Warning,
            "The effect store cannot be used, trying again until the run ends ({Error})"
        )]
        public static partial void StoreLost(ILogger logger, string error);
    }
}
