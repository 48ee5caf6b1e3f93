using System.Data.Common;
using System.Net.Sockets;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Dispatcher.Base;

/// <summary>Tells a fault of what was written from a fault of the database.</summary>
internal static class DbFaults
{
    private const string ReadOnly = "25006";
    private const string QueryCanceled = "57014";
    private const string CannotConnectNow = "57P03";
    private const int SqliteReadOnly = 8;
    private const int SqliteIoError = 10;
    private const int SqliteFull = 13;

    /// <summary>A page could not be written, so that the commit that follows it was not.</summary>
    private const int SqliteIoErrorWrite = SqliteIoError | (3 << 8);
    private const int SqliteCannotOpen = 14;
    private const int SqliteConstraint = 19;
    private const int SqliteMismatch = 20;
    private const int SqliteTooBig = 18;

    /// <summary>True when a fault, or one it wraps (EF Core does that), is of the database and not of what was written.</summary>
    public static bool IsStoreUnavailable(this Exception fault) =>
        fault is DbException store ? !store.IsAboutData() : fault.InnerException is { } inner && inner.IsStoreUnavailable();

    /// <summary>
    /// True when trying the same statement again cannot help: SQLSTATE class 22 (data exception), 23 (integrity constraint) and 54 (too
    /// large for the database, for example for an index). Everything else (connection, deadlock, serialization, shutdown, a schema not migrated yet) may pass, and nothing may be lost meanwhile.
    /// </summary>
    public static bool IsAboutData(this DbException fault) =>
        fault switch
        {
            PostgresException postgres => postgres.SqlState[..2] is "22" or "23" or "54",
            SqliteException sqlite => sqlite.SqliteErrorCode is SqliteConstraint or SqliteMismatch or SqliteTooBig,
            _ => false,
        };

    /// <summary>
    /// True when the fault proves that nothing was committed: the database answered with an error and rolled back, or nothing could be sent to it.
    /// False when the connection was lost in between, which may have been after the commit.
    /// </summary>
    public static bool IsCertain(this Exception fault) =>
        fault switch
        {
            LostAfterCommitException => false,
            PostgresException postgres => postgres.SqlState is QueryCanceled or CannotConnectNow
                || postgres.SqlState[..2] is not ("08" or "57"),
            NpgsqlException { InnerException: SocketException } => true,
            SqliteException sqlite => sqlite.SqliteErrorCode != SqliteIoError || sqlite.SqliteExtendedErrorCode == SqliteIoErrorWrite,
            _ => fault.InnerException is { } inner && inner.IsCertain(),
        };

    /// <summary>
    /// True when the fault shows that the session, and probably every other one of the pool, leads to a database that cannot be written to any longer:
    /// it became read-only (a failover), shuts down, or the connection is broken.
    /// </summary>
    public static bool IsOfSession(this Exception fault) =>
        fault switch
        {
            PostgresException postgres => postgres.SqlState is ReadOnly
                || postgres.SqlState.StartsWith("57P", StringComparison.Ordinal)
                || postgres.SqlState[..2] is "08",
            NpgsqlException => true,
            _ => fault.InnerException is { } inner && inner.IsOfSession(),
        };

    /// <summary>
    /// True when the fault is one that every user of the store meets at the same time: it cannot be reached, is read-only, shuts down or has no room.
    /// <c>StoreHealth</c> reports it once for all.
    /// </summary>
    public static bool IsOutage(this Exception fault) =>
        fault switch
        {
            LostAfterCommitException or OperationCanceledException => true,
            PostgresException postgres => postgres.IsOfSession() || postgres.SqlState[..2] is "53",
            NpgsqlException => true,
            SqliteException sqlite => sqlite.SqliteErrorCode is SqliteReadOnly or SqliteIoError or SqliteFull or SqliteCannotOpen,
            _ => fault.InnerException is { } inner && inner.IsOutage(),
        };
}

/// <summary>The store was lost after it had committed and before the rest of the answer was read.</summary>
internal sealed class LostAfterCommitException(Exception reason) : DbException(reason.Message, reason);
