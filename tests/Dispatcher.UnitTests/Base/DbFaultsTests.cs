using System.Net.Sockets;
using Dispatcher.Base;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Dispatcher.UnitTests.Base;

public sealed class DbFaultsTests
{
    private const int Constraint = 19;
    private const int Busy = 5;

    [Theory]
    [InlineData(Constraint, true)]
    [InlineData(20, true)]
    [InlineData(18, true)]
    [InlineData(Busy, false)]
    [InlineData(10, false)]
    [InlineData(1, false)]
    public void SQLite_error_is_classified_as_fault_of_the_data_or_of_the_store(int code, bool aboutData) =>
        Assert.Equal(aboutData, new SqliteException("", code).IsAboutData());

    [Theory]
    [InlineData("25006", true)]
    [InlineData("53100", true)]
    [InlineData("57014", true)]
    [InlineData("57P03", true)]
    [InlineData("57P01", false)]
    [InlineData("08006", false)]
    public void Answer_of_PostgreSQL_proves_a_rollback_unless_the_session_ended(string state, bool isCertain)
    {
        var fault = new PostgresException("", "ERROR", "ERROR", state);

        Assert.Equal(isCertain, fault.IsCertain());
        Assert.Equal(isCertain, new OperationCanceledException("", fault).IsCertain());
        Assert.False(new LostAfterCommitException(fault).IsCertain());
    }

    /// <summary>The pool drops its sessions then. A session that became read-only in a failover would stay so for minutes.</summary>
    [Theory]
    [InlineData("25006", true)] // read-only
    [InlineData("57P01", true)] // the server shuts down
    [InlineData("57P03", true)] // the server starts
    [InlineData("08006", true)] // the connection failed
    [InlineData("57014", false)] // the statement was cancelled
    [InlineData("40P01", false)] // a deadlock
    [InlineData("53100", false)] // the disk is full
    public void Session_that_reaches_no_writable_database_is_known_by_its_fault(string state, bool isOfSession)
    {
        var fault = new PostgresException("", "ERROR", "ERROR", state);

        Assert.Equal(isOfSession, fault.IsOfSession());
        Assert.Equal(isOfSession, new InvalidOperationException("", fault).IsOfSession());
    }

    [Fact]
    public void Failed_connection_proves_that_nothing_was_committed()
    {
        var refused = new SocketException(111);

        Assert.True(new NpgsqlException("", refused).IsCertain());
        Assert.False(new NpgsqlException("", new IOException("", refused)).IsCertain());
    }

    [Theory]
    [InlineData("22021", true)]
    [InlineData("23505", true)]
    [InlineData("40P01", false)]
    [InlineData("40001", false)]
    [InlineData("57P01", false)]
    [InlineData("42P01", false)]
    public void PostgreSQL_error_is_classified_as_fault_of_the_data_or_of_the_store(string state, bool aboutData) =>
        Assert.Equal(aboutData, new PostgresException("", "ERROR", "ERROR", state).IsAboutData());

    [Theory]
    [InlineData("FATAL", "55000", true)]
    [InlineData("FATAL", "28P01", true)]
    [InlineData("FATAL", "3D000", true)]
    [InlineData("FATAL", "53300", true)]
    [InlineData("ERROR", "53100", true)]
    [InlineData("ERROR", "25006", true)]
    [InlineData("ERROR", "55000", false)]
    [InlineData("ERROR", "42P01", false)]
    [InlineData("ERROR", "40001", false)]
    public void Answer_of_PostgreSQL_that_every_session_gets_is_an_outage(string severity, string state, bool isOutage)
    {
        var fault = new PostgresException("", severity, severity, state);

        Assert.Equal(isOutage, fault.IsOutage());
        Assert.Equal(isOutage, new InvalidOperationException("", fault).IsOutage());
    }
}
