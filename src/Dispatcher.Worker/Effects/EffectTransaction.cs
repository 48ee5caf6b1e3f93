using System.Data.Common;
using System.Globalization;
using Npgsql;

namespace Dispatcher.Worker.Effects;

/// <summary>The run that causes an effect, and its time limit.</summary>
internal sealed record EffectOwner(Guid JobId, int Attempt, Guid RunId)
{
    /// <summary>The longest that the run may take. Default a day, the highest limit of the registry.</summary>
    public TimeSpan RunLimit { get; init; } = TimeSpan.FromDays(1);
}

/// <summary>The row of an effect. The result is null until the effect is done.</summary>
internal sealed record EffectRow(int Attempt, string? Result);

/// <summary>
/// One transaction on the effect store, which begins by raising the job's fence to the owner's attempt. A lower attempt is refused. On
/// PostgreSQL the lock of the fence row makes effects of one job wait for each other.
/// </summary>
internal sealed class EffectTransaction : IAsyncDisposable
{
    /// <summary>How long after its limit a run may still finish what it has begun.</summary>
    private static readonly TimeSpan IdleGrace = TimeSpan.FromSeconds(5);

    // Otherwise the transaction of a host that lost power would keep the fence locked for later attempts for hours.
    private const string LimitIdle = "select set_config('idle_in_transaction_session_timeout', @idle, true);";

    private const string RaiseFence = """
        insert into dispatcher_effect_fences as f (job_id, attempt) values (@job, @attempt)
        on conflict (job_id) do update set attempt = excluded.attempt where f.attempt <= excluded.attempt
        """;

    private readonly EffectOwner _owner;
    private readonly TimeProvider _clock;

    private EffectTransaction(DbConnection connection, DbTransaction transaction, EffectOwner owner, TimeProvider clock) =>
        (Connection, Transaction, _owner, _clock) = (connection, transaction, owner, clock);

    public DbConnection Connection { get; }

    public DbTransaction Transaction { get; }

    /// <exception cref="FencedException">A later attempt has begun.</exception>
    public static async Task<EffectTransaction> BeginAsync(
        DbDataSource database,
        EffectOwner owner,
        TimeProvider clock,
        CancellationToken cancellationToken
    )
    {
        var connection = await database.OpenConnectionAsync(cancellationToken);
        try
        {
            var transaction = await connection.BeginTransactionAsync(cancellationToken);
            var begun = new EffectTransaction(connection, transaction, owner, clock);
            await begun.FenceAsync(cancellationToken);
            return begun;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    public Task CommitAsync(CancellationToken cancellationToken) => Transaction.CommitAsync(cancellationToken);

    /// <summary>The row of an effect. Null: the effect has not begun.</summary>
    public async Task<EffectRow?> FindAsync(string key, CancellationToken cancellationToken)
    {
        await using var command = EffectSql.Command(
            Connection,
            Transaction,
            "select attempt, result from dispatcher_effects where job_id = @job and effect_key = @key",
            [("job", _owner.JobId.ToString()), ("key", key)]
        );
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken)
            ? new EffectRow(reader.GetInt32(0), await reader.IsDBNullAsync(1, cancellationToken) ? null : reader.GetString(1))
            : null;
    }

    /// <param name="key">The effect within the job.</param>
    /// <param name="result">The result of an effect that is done. Null: the effect begins.</param>
    /// <param name="cancellationToken">The handler's token.</param>
    public Task InsertAsync(string key, string? result, CancellationToken cancellationToken) =>
        ExecuteAsync(
            """
            insert into dispatcher_effects (job_id, effect_key, state, attempt, run_id, result, changed_at)
            values (@job, @key, @state, @attempt, @run, @result, @at)
            """,
            [.. Parameters(key), ("state", result is null ? "started" : "done"), ("result", (object?)result ?? DBNull.Value)],
            cancellationToken
        );

    /// <summary>Makes this run the owner of an effect that an earlier run began.</summary>
    public Task TakeOverAsync(string key, CancellationToken cancellationToken) =>
        ExecuteAsync(
            """
            update dispatcher_effects set attempt = @attempt, run_id = @run, changed_at = @at
            where job_id = @job and effect_key = @key
            """,
            Parameters(key),
            cancellationToken
        );

    /// <summary>Stores the result of the effect that this run began. 0: another run owns it.</summary>
    public Task<int> FinishAsync(string key, string result, CancellationToken cancellationToken) =>
        ExecuteAsync(
            """
            update dispatcher_effects set state = 'done', result = @result, changed_at = @at
            where job_id = @job and effect_key = @key and run_id = @run and state = 'started'
            """,
            [.. Parameters(key), ("result", result)],
            cancellationToken
        );

    /// <summary>Deletes the effect that this run began. 0: another run owns it.</summary>
    public Task<int> DeleteAsync(string key, CancellationToken cancellationToken) =>
        ExecuteAsync(
            "delete from dispatcher_effects where job_id = @job and effect_key = @key and run_id = @run and state = 'started'",
            Parameters(key),
            cancellationToken
        );

    public async ValueTask DisposeAsync()
    {
        await Transaction.DisposeAsync();
        await Connection.DisposeAsync();
    }

    private async Task FenceAsync(CancellationToken cancellationToken)
    {
        if (Connection is NpgsqlConnection)
        {
            var idle = (_owner.RunLimit + IdleGrace).TotalMilliseconds.ToString("0", CultureInfo.InvariantCulture);
            await ExecuteAsync(LimitIdle, [("idle", idle)], cancellationToken);
        }

        if (await ExecuteAsync(RaiseFence, [("job", _owner.JobId.ToString()), ("attempt", _owner.Attempt)], cancellationToken) == 0)
        {
            throw new FencedException(_owner.JobId, _owner.Attempt);
        }
    }

    private (string, object)[] Parameters(string key) =>
        [
            ("job", _owner.JobId.ToString()),
            ("key", key),
            ("attempt", _owner.Attempt),
            ("run", _owner.RunId.ToString()),
            ("at", _clock.GetUtcNow().ToUnixTimeMilliseconds() * 1000),
        ];

    private Task<int> ExecuteAsync(string sql, (string, object)[] parameters, CancellationToken cancellationToken) =>
        EffectSql.ExecuteAsync(Connection, Transaction, sql, parameters, cancellationToken);
}
