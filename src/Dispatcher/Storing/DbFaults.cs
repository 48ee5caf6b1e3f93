using System.Data.Common;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Dispatcher.Storing;

/// <summary>Tells a fault of what was written from a fault of the database.</summary>
internal static class DbFaults
{
    private const int SqliteConstraint = 19;
    private const int SqliteMismatch = 20;
    private const int SqliteTooBig = 18;

    /// <summary>True when a fault, or one it wraps (EF Core does that), is of the database and not of what was written.</summary>
    public static bool IsStoreAway(this Exception fault) =>
        fault is DbException store ? !store.IsAboutData() : fault.InnerException is { } inner && inner.IsStoreAway();

    /// <summary>
    /// True when trying the same statement again cannot help: SQLSTATE class 22 (data exception), 23 (integrity constraint) and 54 (too
    /// large for the database, for example for an index). Everything else (connection, deadlock, serialization, shutdown, a schema not migrated yet) may pass, and nothing may be lost meanwhile.
    /// </summary>
    public static bool IsAboutData(this DbException fault) => fault switch
    {
        PostgresException postgres => postgres.SqlState[..2] is "22" or "23" or "54",
        SqliteException sqlite => sqlite.SqliteErrorCode is SqliteConstraint or SqliteMismatch or SqliteTooBig,
        _ => false,
    };
}
