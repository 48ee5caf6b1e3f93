using System.Data.Common;
using System.Text.Json;
using Dispatcher.Worker.Pools;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Npgsql;
using Polly;

namespace Dispatcher.Worker.Effects;

/// <summary>
/// The pool's effect store, on PostgreSQL or SQLite with the same statements. Every write is one <see cref="EffectTransaction"/>, which
/// refuses an attempt that a later one has fenced.
/// </summary>
internal sealed partial class PoolEffectStore : IDisposable
{
    private const string Schema = """
        create table if not exists dispatcher_effects (
            job_id text not null, effect_key text not null, state text not null, attempt integer not null, run_id text not null,
            result text, changed_at bigint not null, primary key (job_id, effect_key));
        create table if not exists dispatcher_effect_fences (job_id text not null primary key, attempt integer not null);
        """;

    /// <summary>
    /// A row when a table is missing. PostgreSQL refuses "create table if not exists" to a role that may not create tables, also when the
    /// tables exist.
    /// </summary>
    private const string Missing =
        "select 1 where to_regclass('dispatcher_effects') is null or to_regclass('dispatcher_effect_fences') is null";

    private readonly DbDataSource _database;
    private readonly TimeProvider _clock;
    private readonly string _schemaLock;
    private readonly ResiliencePipeline _whileUnavailable;

    private PoolEffectStore(DbDataSource database, TimeProvider clock, ILogger log, string schemaLock)
    {
        (_database, _clock, _schemaLock) = (database, clock, schemaLock);
        _whileUnavailable = WorkerRetry.UntilSuccess(
            clock,
            exception => Log.StoreUnavailable(log, PostgresConnection.Reason(exception)),
            IsUnavailable
        );
    }

    /// <param name="store">
    /// A PostgreSQL connection string with <c>Host=</c>, a <c>postgres://</c> URL, or the path of an SQLite file.
    /// </param>
    /// <param name="clock">Sets <c>changed_at</c> of the rows, which only people read.</param>
    /// <param name="log">Receives the first failure of each call.</param>
    public static PoolEffectStore Open(string store, TimeProvider clock, ILogger log)
    {
        if (PostgresConnection.IsOne(store))
        {
            // For two workers that start together: "if not exists" alone fails the slower one.
            return new PoolEffectStore(
                NpgsqlDataSource.Create(PostgresConnection.Read(store)),
                clock,
                log,
                "select pg_advisory_xact_lock(7160233);"
            );
        }

        CreatePrivateFile(store);
        var file = new SqliteConnectionStringBuilder { DataSource = store }.ConnectionString;
        return new PoolEffectStore(SqliteFactory.Instance.CreateDataSource(file), clock, log, "");
    }

    /// <summary>
    /// Makes the file readable by this user only, because it holds results of effects. SQLite would create it by the umask; it gives
    /// <c>-wal</c> and <c>-shm</c> the mode of the file. If the file cannot be created here, SQLite reports why.
    /// </summary>
    private static void CreatePrivateFile(string file)
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
            await EffectSql.ExecuteAsync(connection, null, new("pragma journal_mode = wal"), cancellationToken);
        }

        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        if (connection is SqliteConnection || (await EffectSql.QueryAsync(transaction, [new(Missing)], cancellationToken))[0] is not null)
        {
            await EffectSql.ExecuteAsync(connection, transaction, new(_schemaLock + Schema), cancellationToken);
        }

        await transaction.CommitAsync(cancellationToken);
    }

    /// <summary>
    /// Runs an effect and stores its result in the same transaction. An unavailable database is not a fault of the job, so the call is
    /// retried until the run ends. That is safe: either the transaction did not commit, or the row of the result is found.
    /// </summary>
    public async Task<T> InTransactionAsync<T>(
        EffectOwner owner,
        string key,
        Func<DbConnection, DbTransaction, CancellationToken, Task<T>> effect,
        CancellationToken cancellationToken
    ) => await _whileUnavailable.ExecuteAsync(async token => await TryInTransactionAsync(owner, key, effect, token), cancellationToken);

    private async Task<T> TryInTransactionAsync<T>(
        EffectOwner owner,
        string key,
        Func<DbConnection, DbTransaction, CancellationToken, Task<T>> effect,
        CancellationToken cancellationToken
    )
    {
        await using var transaction = await BeginTransactionAsync(owner, key, cancellationToken);
        if (transaction.Row is { } row)
        {
            return row.Result is { } done ? Read<T>(done) : throw new EffectInDoubtException(key, row.Attempt);
        }

        var value = await effect(transaction.Connection, transaction.Transaction, cancellationToken);
        await transaction.InsertAsync(Write(value), cancellationToken);
        return value;
    }

    /// <summary>Fences all earlier attempts of the job, also when this attempt has no effects.</summary>
    public async Task FenceEarlierAttemptsAsync(EffectOwner owner, CancellationToken cancellationToken) =>
        await _whileUnavailable.ExecuteAsync(
            async token =>
            {
                await using var transaction = await BeginTransactionAsync(owner, "", token);
                await transaction.CommitAsync(token);
            },
            cancellationToken
        );

    /// <summary>Stores that the effect begins. Not null: the effect is done already, with this result.</summary>
    /// <exception cref="EffectInDoubtException">An earlier run began the effect, and it must not be repeated.</exception>
    public async Task<string?> BeginAsync(EffectOwner owner, string key, bool mayRepeat, CancellationToken cancellationToken)
    {
        await using var transaction = await BeginTransactionAsync(owner, key, cancellationToken);
        var row = transaction.Row;
        if (row?.Result is { } done)
        {
            return done;
        }

        if (row is not null && !mayRepeat)
        {
            throw new EffectInDoubtException(key, row.Attempt);
        }

        await (row is null ? transaction.InsertAsync(null, cancellationToken) : transaction.TakeOverAsync(cancellationToken));
        return null;
    }

    /// <summary>Stores that the effect is done, and its result.</summary>
    public Task DoneAsync<T>(EffectOwner owner, string key, T value, CancellationToken cancellationToken) =>
        FinishAsync(owner, key, transaction => transaction.FinishAsync(Write(value), cancellationToken), cancellationToken);

    /// <summary>Removes an effect that has begun and surely did not happen.</summary>
    public Task ForgetAsync(EffectOwner owner, string key, CancellationToken cancellationToken) =>
        FinishAsync(owner, key, transaction => transaction.DeleteAsync(cancellationToken), cancellationToken);

    public static T Read<T>(string result) => JsonSerializer.Deserialize<T>(result)!;

    public void Dispose() => _database.Dispose();

    private static string Write<T>(T value) => JsonSerializer.Serialize(value);

    private async Task FinishAsync(
        EffectOwner owner,
        string key,
        Func<EffectTransaction, Task<int>> finish,
        CancellationToken cancellationToken
    )
    {
        await using var transaction = await BeginTransactionAsync(owner, key, cancellationToken);
        if (await finish(transaction) == 0)
        {
            throw new FencedException(owner.JobId, owner.Attempt);
        }
    }

    private Task<EffectTransaction> BeginTransactionAsync(EffectOwner owner, string key, CancellationToken cancellationToken) =>
        EffectTransaction.BeginAsync(_database, owner, key, _clock, cancellationToken);

    // Users of the store wrap the exception: Entity Framework, for example, in DbUpdateException.
    private static bool IsUnavailable(Exception? fault) =>
        fault is DbException { IsTransient: true } || (fault is not null && IsUnavailable(fault.InnerException));

    private static partial class Log
    {
        [LoggerMessage(
            WorkerEventIds.EffectStoreLost,
            LogLevel.Warning,
            "The effect store is unavailable; retrying until the run ends ({Error})"
        )]
        public static partial void StoreUnavailable(ILogger logger, string error);
    }
}
