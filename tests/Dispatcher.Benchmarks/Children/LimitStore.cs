using System.Security.Cryptography;
using System.Text;
using Npgsql;

namespace Dispatcher.Benchmarks.Children;

/// <summary>The rows of the limit, in the tables of the server: one statement for each batch.</summary>
internal sealed class LimitStore(LimitSettings settings) : IAsyncDisposable
{
    private static readonly string Hash = new('a', 64);
    private static readonly byte[] Result = """{"ok":true}"""u8.ToArray();

    private readonly NpgsqlDataSource _database = NpgsqlDataSource.Create(
        settings.Postgres + ";Max Auto Prepare=20;No Reset On Close=true"
    );

    // A lost delete leaves a row that would be sent twice, which every receiver tolerates.
    private readonly NpgsqlDataSource _relaxed = NpgsqlDataSource.Create(
        settings.Postgres + ";Max Auto Prepare=20;No Reset On Close=true;Options=-c synchronous_commit=off"
    );

    public async Task PrepareAsync(CancellationToken cancellationToken)
    {
        await using var tables = _database.CreateCommand(LimitSql.Tables);
        await tables.ExecuteNonQueryAsync(cancellationToken);
    }

    public async Task<IReadOnlyList<LimitMessage>> SubmitAsync(IReadOnlyList<LimitDelivery> batch, CancellationToken cancellationToken)
    {
        var jobs = batch.Select(delivery => SubmittedJob.Read(delivery.Body)).ToArray();
        var messages = Messages(batch, LimitQueues.Dispatch);
        await using var command = _database.CreateCommand(LimitSql.Submit);
        Add(command, jobs.Select(job => job.JobId), jobs.Select(job => job.Topic), jobs.Select(job => job.Labels));
        Add(
            command,
            jobs.Select(job => job.Payload),
            batch.Select(delivery => Convert.ToHexStringLower(SHA256.HashData(delivery.Body))),
            jobs.Select(job => Detail("accepted", job.JobId))
        );
        AddOutbox(command, messages);
        await command.ExecuteNonQueryAsync(cancellationToken);
        return messages;
    }

    public async Task<IReadOnlyList<LimitMessage>> DispatchAsync(IReadOnlyList<LimitDelivery> batch, CancellationToken cancellationToken)
    {
        var messages = Messages(batch, LimitQueues.Work);
        await MoveAsync(LimitSql.Dispatch, batch, "dispatched", messages, cancellationToken);
        return messages;
    }

    /// <summary>The work itself: nothing, or one effect that happens once.</summary>
    public async Task<IReadOnlyList<LimitMessage>> WorkAsync(IReadOnlyList<LimitDelivery> batch, CancellationToken cancellationToken)
    {
        LimitMessage[] messages =
        [
            .. batch.Select(delivery => new LimitMessage(
                Guid.CreateVersion7(),
                delivery.JobId,
                "",
                LimitQueues.Outcome,
                Encoding.UTF8.GetBytes($$"""{"v":1,"job_id":"{{delivery.JobId}}","attempt":1,"kind":"succeeded","result":"ok"}"""),
                settings.Effect
            )),
        ];
        if (settings.Effect)
        {
            await using var command = _database.CreateCommand(LimitSql.Effect);
            Add(command, batch.Select(delivery => delivery.JobId));
            AddOutbox(command, messages);
            await command.ExecuteNonQueryAsync(cancellationToken);
        }

        return messages;
    }

    public async Task<IReadOnlyList<LimitMessage>> OutcomeAsync(IReadOnlyList<LimitDelivery> batch, CancellationToken cancellationToken)
    {
        LimitMessage[] events = settings.Events ? [.. batch.Select(Event)] : [];
        await MoveAsync(LimitSql.Outcome, batch, "succeeded", events, cancellationToken);
        return events;
    }

    /// <summary>Deletes the outbox rows of confirmed messages.</summary>
    public async Task SentAsync(IReadOnlyList<LimitMessage> messages)
    {
        if (messages is [{ Stored: true }, ..])
        {
            await using var command = _relaxed.CreateCommand("delete from outbox where message_id = any($1)");
            Add(command, messages.Select(message => message.Id));
            await command.ExecuteNonQueryAsync(CancellationToken.None);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _database.DisposeAsync();
        await _relaxed.DisposeAsync();
    }

    private async Task MoveAsync(
        string sql,
        IReadOnlyList<LimitDelivery> batch,
        string kind,
        IReadOnlyList<LimitMessage> messages,
        CancellationToken cancellationToken
    )
    {
        await using var command = _database.CreateCommand(sql);
        Add(command, batch.Select(delivery => delivery.JobId), batch.Select(delivery => Detail(kind, delivery.JobId)));
        AddOutbox(command, messages);
        if (kind == "succeeded")
        {
            command.Parameters.Add(new NpgsqlParameter { Value = Result });
        }

        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static LimitMessage[] Messages(IReadOnlyList<LimitDelivery> batch, string queue) =>
        [.. batch.Select(delivery => new LimitMessage(Guid.CreateVersion7(), delivery.JobId, "", queue, delivery.Body, true))];

    private static LimitMessage Event(LimitDelivery delivery) =>
        new(
            Guid.CreateVersion7(),
            delivery.JobId,
            Contracts.Exchanges.Events,
            "succeeded.bench.job.bench.t0",
            Encoding.UTF8.GetBytes($$"""{"v":1,"event":"succeeded","job_id":"{{delivery.JobId}}","policy_hash":"{{Hash}}"}"""),
            true
        );

    /// <summary>As long as a usual detail of the server.</summary>
    private static byte[] Detail(string kind, Guid jobId) =>
        Encoding.UTF8.GetBytes(
            $$"""{"kind":"{{kind}}","job_id":"{{jobId}}","rules":["run"],"policy_hash":"{{Hash}}","job_hash":"{{Hash}}"}"""
        );

    private static void AddOutbox(NpgsqlCommand command, IReadOnlyList<LimitMessage> messages)
    {
        Add(command, messages.Select(message => message.Id), messages.Select(message => message.Exchange));
        Add(command, messages.Select(message => message.RoutingKey), messages.Select(message => message.Body.ToArray()));
    }

    private static void Add<T>(NpgsqlCommand command, IEnumerable<T> column) =>
        command.Parameters.Add(new NpgsqlParameter { Value = column.ToArray() });

    private static void Add<T1, T2>(NpgsqlCommand command, IEnumerable<T1> first, IEnumerable<T2> second)
    {
        Add(command, first);
        Add(command, second);
    }

    private static void Add<T1, T2, T3>(NpgsqlCommand command, IEnumerable<T1> first, IEnumerable<T2> second, IEnumerable<T3> third)
    {
        Add(command, first, second);
        Add(command, third);
    }
}
