using Npgsql;

namespace Dispatcher.Storage;

/// <summary>The lock on a pool's line: a transaction in which nothing is written. Closed, it is rolled back, and the lock goes with it.</summary>
internal sealed class PoolLock(NpgsqlConnection connection) : IAsyncDisposable
{
    public async ValueTask DisposeAsync()
    {
        try
        {
            await connection.DisposeAsync();
        }
        catch (NpgsqlException)
        {
            // The database is away, or ended what stood still: the lock is gone already.
        }
    }
}
