using System.Net.Sockets;
using Dispatcher.Storage;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Time.Testing;
using Npgsql;

namespace Dispatcher.UnitTests.Storage;

public sealed class StoreHealthTests
{
    private static readonly object Probe = new();
    private static readonly object Writer = new();
    private static readonly SqliteException Full = new("disk full.", 13);

    private readonly FakeTimeProvider _time = new();
    private readonly ALog<StoreHealth> _log = new();

    [Fact]
    public void Store_is_not_healthy_before_its_first_write() => Assert.NotNull(Health().Trouble);

    [Fact]
    public void Store_that_takes_no_write_for_two_rounds_is_not_healthy()
    {
        var health = Health();
        health.Proved(Probe);
        Assert.Null(health.Trouble);

        _time.Advance(TimeSpan.FromSeconds(4.5));

        Assert.Contains("has taken no write", health.Trouble, StringComparison.Ordinal);
        health.Proved(Probe);
        Assert.Null(health.Trouble);
    }

    [Fact]
    public void Failed_writer_makes_the_store_unhealthy_even_if_the_probe_succeeds()
    {
        var health = Health();
        health.Fails(Writer, Full);
        health.Proved(Probe);

        Assert.Contains("disk full", health.Trouble, StringComparison.Ordinal);
        health.Works(Writer);
        Assert.Null(health.Trouble);
    }

    [Fact]
    public void Refused_connection_is_reported_with_its_address()
    {
        var health = Health();
        var refused = new SocketException((int)SocketError.ConnectionRefused);

        health.Fails(Writer, new InvalidOperationException("retries", new NpgsqlException("Failed to connect to db.test:5432", refused)));
        health.Proved(Probe);

        Assert.Contains("Failed to connect to db.test:5432: " + refused.Message, health.Trouble, StringComparison.Ordinal);
    }

    [Fact]
    public void Writer_that_failed_and_has_nothing_more_to_write_is_forgotten()
    {
        var health = Health();
        health.Fails(Writer, Full);

        _time.Advance(TimeSpan.FromSeconds(11));
        health.Proved(Probe);

        Assert.Null(health.Trouble);
    }

    [Fact]
    public void Outage_is_logged_when_it_begins_and_when_it_is_over_with_a_count()
    {
        var health = Health();
        for (var i = 0; i < 5; i++)
        {
            health.Fails(Writer, Full);
            health.Fails(Probe, Full);
        }

        health.Works(Writer);
        health.Proved(Probe);
        health.Proved(Probe);

        Assert.Collection(
            _log.Lines,
            line => Assert.Contains("does not take writes: disk full. No data", line.Text, StringComparison.Ordinal),
            line => Assert.Contains("10 writes failed", line.Text, StringComparison.Ordinal)
        );
    }

    private StoreHealth Health() => new(null, _time, _log);
}
