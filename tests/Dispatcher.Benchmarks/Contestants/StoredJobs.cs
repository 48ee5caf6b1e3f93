using Dispatcher.Benchmarks.Staging;

namespace Dispatcher.Benchmarks.Contestants;

/// <summary>Reads of the tables that the limit and the server have in common.</summary>
internal static class StoredJobs
{
    /// <summary>A large number of finished jobs is stored before a growth round. Only those of this round are counted.</summary>
    public static async Task CheckSucceededAsync(Stage stage, long since, long jobs, CancellationToken cancellationToken)
    {
        var succeeded = await stage.ReadAsync<long>(
            $"select count(*) from jobs where finished_at >= {since} and state = 'succeeded'",
            cancellationToken
        );
        if (succeeded != jobs)
        {
            throw new InvalidOperationException($"{succeeded} jobs succeeded, expected {jobs}: this run means nothing.");
        }
    }

    public static async Task<DateTimeOffset?> LastEndAsync(Stage stage, CancellationToken cancellationToken) =>
        DateTimeOffset.UnixEpoch.AddMicroseconds(
            await stage.ReadAsync<long>("select max(finished_at) from jobs where finished_at is not null", cancellationToken)
        );

    public static Task<bool> OutboxIsEmptyAsync(Stage stage, CancellationToken cancellationToken) =>
        stage.ReadAsync<bool>("select not exists (select from outbox)", cancellationToken);

    public static Task<bool> IsSealedAsync(Stage stage, CancellationToken cancellationToken) =>
        stage.ReadAsync<bool>(
            "select coalesce((select max(entry_id) from timeline), 0) <= coalesce((select max(entry_id) from timeline_seals), 0)",
            cancellationToken
        );

    public static Task<long> NowAsync(Stage stage, CancellationToken cancellationToken) =>
        stage.ReadAsync<long>("select (extract(epoch from clock_timestamp()) * 1000000)::bigint", cancellationToken);
}
