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
/// One transaction on the effect store. It begins by raising the job's fence to the owner's attempt and reading the row of the effect; a
/// lower attempt is refused. It ends with one statement and the commit. On PostgreSQL each of the two is one round trip, and the lock of
/// the fence row makes effects of one job wait for each other.
/// </summary>
internal sealed class EffectTransaction : IAsyncDisposable
{
    /// <summary>How long after its limit a run may still finish what it has begun.</summary>
    private static readonly TimeSpan IdleGrace = TimeSpan.FromSeconds(5);

    // Otherwise the transaction of a host that lost power would keep the fence locked for later attempts for hours.
    private const string LimitIdle = "select set_config('idle_in_transaction_session_timeout', @idle, true)";

    private const string RaiseFence = """
        insert into dispatcher_effect_fences as f (job_id, attempt) values (@job, @attempt)
        on conflict (job_id) do update set attempt = excluded.attempt where f.attempt <= excluded.attempt
        returning attempt
        """;

    // Behind the fence: the lock of its row makes this statement see the effects of the attempt that held it.
    private const string Find = "select attempt, result from dispatcher_effects where job_id = @job and effect_key = @key";

    private readonly EffectOwner _owner;
    private readonly string _key;
    private readonly TimeProvider _clock;

    private EffectTransaction(DbTransaction transaction, EffectOwner owner, string key, TimeProvider clock) =>
        (Connection, Transaction, _owner, _key, _clock) = (transaction.Connection!, transaction, owner, key, clock);

    public DbConnection Connection { get; }

    public DbTransaction Transaction { get; }

    /// <summary>The row of the effect when the transaction began. Null: the effect has not begun.</summary>
    public EffectRow? Row { get; private set; }

    /// <param name="database">The effect store.</param>
    /// <param name="owner">The run.</param>
    /// <param name="key">The effect within the job. Empty, which no effect is: the transaction only raises the fence.</param>
    /// <param name="clock">Sets <c>changed_at</c>.</param>
    /// <param name="cancellationToken">The handler's token.</param>
    /// <exception cref="FencedException">A later attempt has begun.</exception>
    public static async Task<EffectTransaction> BeginAsync(
        DbDataSource database,
        EffectOwner owner,
        string key,
        TimeProvider clock,
        CancellationToken cancellationToken
    )
    {
        var connection = await database.OpenConnectionAsync(cancellationToken);
        try
        {
            var transaction = await connection.BeginTransactionAsync(cancellationToken);
            var begun = new EffectTransaction(transaction, owner, key, clock);
            await begun.FenceAndFindAsync(cancellationToken);
            return begun;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Commits the fence alone.</summary>
    public Task CommitAsync(CancellationToken cancellationToken) => Transaction.CommitAsync(cancellationToken);

    /// <summary>Adds the effect's row and commits.</summary>
    /// <param name="result">The result of an effect that is done. Null: the effect begins.</param>
    /// <param name="cancellationToken">The handler's token.</param>
    public Task InsertAsync(string? result, CancellationToken cancellationToken) =>
        CommitAsync(
            """
            insert into dispatcher_effects (job_id, effect_key, state, attempt, run_id, result, changed_at)
            values (@job, @key, @state, @attempt, @run, @result, @at)
            """,
            cancellationToken,
            ("state", result is null ? "started" : "done"),
            ("result", (object?)result ?? DBNull.Value)
        );

    /// <summary>Makes this run the owner of an effect that an earlier run began, and commits.</summary>
    public Task TakeOverAsync(CancellationToken cancellationToken) =>
        CommitAsync(
            """
            update dispatcher_effects set attempt = @attempt, run_id = @run, changed_at = @at
            where job_id = @job and effect_key = @key
            """,
            cancellationToken
        );

    /// <summary>Stores the result of the effect that this run began, and commits. 0: another run owns it.</summary>
    public Task<int> FinishAsync(string result, CancellationToken cancellationToken) =>
        CommitAsync(
            """
            update dispatcher_effects set state = 'done', result = @result, changed_at = @at
            where job_id = @job and effect_key = @key and run_id = @run and state = 'started'
            """,
            cancellationToken,
            ("result", result)
        );

    /// <summary>Deletes the effect that this run began, and commits. 0: another run owns it.</summary>
    public Task<int> DeleteAsync(CancellationToken cancellationToken) =>
        CommitAsync(
            "delete from dispatcher_effects where job_id = @job and effect_key = @key and run_id = @run and state = 'started'",
            cancellationToken
        );

    public async ValueTask DisposeAsync()
    {
        await Transaction.DisposeAsync();
        await Connection.DisposeAsync();
    }

    private async Task FenceAndFindAsync(CancellationToken cancellationToken)
    {
        List<EffectStatement> queries =
        [
            new(RaiseFence, ("job", _owner.JobId.ToString()), ("attempt", _owner.Attempt)),
            new(Find, ("job", _owner.JobId.ToString()), ("key", _key)),
        ];
        if (Connection is NpgsqlConnection)
        {
            var idle = (_owner.RunLimit + IdleGrace).TotalMilliseconds.ToString("0", CultureInfo.InvariantCulture);
            queries.Insert(0, new(LimitIdle, ("idle", idle)));
        }

        var rows = await EffectSql.QueryAsync(Transaction, queries, cancellationToken);
        if (rows[^2] is null)
        {
            throw new FencedException(_owner.JobId, _owner.Attempt);
        }

        Row = rows[^1] is [var attempt, var result]
            ? new EffectRow(Convert.ToInt32(attempt, CultureInfo.InvariantCulture), result as string)
            : null;
    }

    private Task<int> CommitAsync(string sql, CancellationToken cancellationToken, params (string, object)[] more) =>
        EffectSql.CommitAsync(
            Transaction,
            new EffectStatement(
                sql,
                [
                    ("job", _owner.JobId.ToString()),
                    ("key", _key),
                    ("attempt", _owner.Attempt),
                    ("run", _owner.RunId.ToString()),
                    ("at", _clock.GetUtcNow().ToUnixTimeMilliseconds() * 1000),
                    .. more,
                ]
            ),
            cancellationToken
        );
}
