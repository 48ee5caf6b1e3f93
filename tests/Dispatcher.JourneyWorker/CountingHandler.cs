using System.Data.Common;
using System.Text.Json;
using System.Text.Json.Serialization;
using Dispatcher.Worker;
using Npgsql;

namespace Dispatcher.JourneyWorker;

/// <summary>
/// Has one effect, which a journey counts. The payload sets the rest: <c>{"sleep_ms": 3000}</c> sleeps in the first attempt only, and
/// <c>{"fail": true}</c> fails.
/// </summary>
internal sealed class CountingHandler(Notebook notebook) : IJobHandler
{
    public async Task<JobResult> RunAsync(JobRun run, CancellationToken cancellationToken)
    {
        var plan = run.Payload.Deserialize<Plan>()!;
        if (plan.Fail)
        {
            throw new InvalidOperationException("The payload asks for this failure.");
        }

        if (plan.SleepMs > 0 && run.Attempt == 1)
        {
            await notebook.NoteStartAsync(run, cancellationToken);
            await Task.Delay(plan.SleepMs, cancellationToken);
        }

        await run.Effects.OnceAsync(
            "count",
            (connection, transaction, token) => Notebook.CountAsync(run, connection, transaction, token),
            cancellationToken
        );
        return JobResult.From(new { attempt = run.Attempt });
    }

    internal sealed record Plan
    {
        [JsonPropertyName("sleep_ms")]
        public int SleepMs { get; init; }

        [JsonPropertyName("fail")]
        public bool Fail { get; init; }
    }
}

/// <summary>
/// Records the starts and effects of the workers in tables that the journey reads. The tables have no unique key, so that an effect that
/// happened twice shows.
/// </summary>
internal sealed class Notebook(string connectionString) : IAsyncDisposable
{
    private readonly NpgsqlDataSource _database = NpgsqlDataSource.Create(connectionString);

    public async Task NoteStartAsync(JobRun run, CancellationToken cancellationToken)
    {
        await using var insert = _database.CreateCommand(
            "insert into journey_starts (job_id, attempt, worker_process) values ($1, $2, $3)"
        );
        insert.Parameters.AddWithValue(run.JobId);
        insert.Parameters.AddWithValue(run.Attempt);
        insert.Parameters.AddWithValue(Environment.ProcessId);
        await insert.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Records the call. True: the downstream is up.</summary>
    public async Task<bool> IsUpAsync(CancellationToken cancellationToken)
    {
        await using var call = _database.CreateCommand(
            "with call as (insert into journey_calls default values) select up from journey_downstream"
        );
        return await call.ExecuteScalarAsync(cancellationToken) is true;
    }

    public static async Task<int> CountAsync(
        JobRun run,
        DbConnection connection,
        DbTransaction transaction,
        CancellationToken cancellationToken
    )
    {
        await using var insert = new NpgsqlCommand(
            "insert into journey_effects (job_id, attempt) values ($1, $2)",
            (NpgsqlConnection)connection,
            (NpgsqlTransaction)transaction
        );
        insert.Parameters.AddWithValue(run.JobId);
        insert.Parameters.AddWithValue(run.Attempt);
        return await insert.ExecuteNonQueryAsync(cancellationToken);
    }

    public ValueTask DisposeAsync() => _database.DisposeAsync();
}
