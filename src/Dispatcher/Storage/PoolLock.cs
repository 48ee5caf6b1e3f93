using Npgsql;

namespace Dispatcher.Storage;

/// <summary>
/// The lock on a pool: an open transaction that writes nothing. Closing the connection rolls it back and releases the lock.
/// </summary>
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
            // The database is unavailable, or ended the session at the limit: the lock is released already.
        }
    }
}
