using System.Data.Common;
using System.Net.Sockets;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Dispatcher.Base;

/// <summary>
/// Classifies faults of the database: is it the data or the store, is the commit certain, and is the session still usable.
/// </summary>
internal static class DbFaults
{
    private const string ReadOnly = "25006";
    private const string QueryCanceled = "57014";
    private const string CannotConnectNow = "57P03";
    private const int SqliteReadOnly = 8;
    private const int SqliteIoError = 10;
    private const int SqliteFull = 13;

    /// <summary>A page could not be written, so the commit after it did not happen.</summary>
    private const int SqliteIoErrorWrite = SqliteIoError | (3 << 8);
    private const int SqliteCannotOpen = 14;
    private const int SqliteConstraint = 19;
    private const int SqliteMismatch = 20;
    private const int SqliteTooBig = 18;

    /// <summary>True when the fault, or one that it wraps (as EF Core does), is a fault of the store and not of the data.</summary>
    public static bool IsStoreUnavailable(this Exception fault) =>
        fault is DbException store ? !store.IsAboutData() : fault.InnerException is { } inner && inner.IsStoreUnavailable();

    /// <summary>
    /// True when the same statement would fail again: SQLSTATE class 22 (data exception), 23 (integrity constraint) and 54 (a value too
    /// large for the database, for example for an index). Every other fault may be temporary, such as a lost connection, a deadlock, a
    /// shutdown or a schema that is not migrated yet. The statement is repeated then, so that no data is lost.
    /// </summary>
    public static bool IsAboutData(this DbException fault) =>
        fault switch
        {
            PostgresException postgres => postgres.SqlState[..2] is "22" or "23" or "54",
            SqliteException sqlite => sqlite.SqliteErrorCode is SqliteConstraint or SqliteMismatch or SqliteTooBig,
            _ => false,
        };

    /// <summary>
    /// True when the fault proves that nothing was committed: the database answered with an error and rolled back, or it received nothing.
    /// False when the connection was lost during the commit: it may have happened.
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
    /// True when the fault shows that this session, and probably every other session of the pool, no longer reaches a writable database: it
    /// became read-only (a failover), it shuts down, or the connection is broken.
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
    /// True when every user of the store gets this fault at the same time: the store is unreachable, read-only, shuts down, accepts no
    /// connection, or its disk is full. <c>StoreHealth</c> logs such an outage once for all of them.
    /// </summary>
    public static bool IsOutage(this Exception fault) =>
        fault switch
        {
            LostAfterCommitException or OperationCanceledException => true,
            // FATAL ends or refuses a session whatever the code: no such database, a changed password, a database that is closed.
            PostgresException postgres => postgres.IsOfSession()
                || postgres.SqlState[..2] is "53"
                || postgres.InvariantSeverity is "FATAL" or "PANIC",
            NpgsqlException => true,
            SqliteException sqlite => sqlite.SqliteErrorCode is SqliteReadOnly or SqliteIoError or SqliteFull or SqliteCannotOpen,
            _ => fault.InnerException is { } inner && inner.IsOutage(),
        };
}

/// <summary>The store became unavailable after a commit, before the results of that commit were read.</summary>
internal sealed class LostAfterCommitException(Exception reason) : DbException(reason.Message, reason);
