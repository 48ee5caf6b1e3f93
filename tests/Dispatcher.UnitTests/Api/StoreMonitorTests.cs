using Dispatcher.Api;
using Dispatcher.Base;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Dispatcher.UnitTests.Hosting;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.UnitTests.Api;

/// <summary>The gauges of the store.</summary>
public sealed class StoreMonitorTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public void Id_of_version_7_states_when_it_was_made()
    {
        var made = new DateTimeOffset(2026, 4, 1, 12, 0, 0, 125, TimeSpan.Zero);

        Assert.Equal(Timestamps.Micros(made), StoreFigures.MadeAt(Guid.CreateVersion7(made)));
    }

    [Fact]
    public async Task Outbox_has_the_age_of_its_oldest_message_without_parked_ones()
    {
        await using var server = await AServer.MigratedAsync();
        using var seen = new Measurements(server);
        await server.Get<StoreClock>().OnceAsync(Stop);
        var now = TimeProvider.System.GetUtcNow();
        await server
            .Get<IStore>()
            .RecordAsync([], [Message(now.AddSeconds(-90)), Message(now.AddSeconds(-5)), Message(now.AddDays(-1))], Stop);
        await using (var db = await server.DatabaseAsync())
        {
            // The third is given up; an id of a client, which begins with zeros, states no time.
            var parked = await db.Outbox.OrderBy(message => message.MessageId).Select(message => message.MessageId).FirstAsync(Stop);
            await db
                .Outbox.Where(message => message.MessageId == parked)
                .ExecuteUpdateAsync(row => row.SetProperty(m => m.Parked, true), Stop);
        }

        await server
            .Get<IStore>()
            .RecordAsync([], [Message(now) with { MessageId = new Guid("00000000-0000-4000-8000-000000000001") }], Stop);

        await server.Get<StoreMonitor>().OnceAsync(Stop);

        Assert.Equal([3], seen.Of("dispatcher.outbox.messages"));
        Assert.Equal([1], seen.Of("dispatcher.outbox.parked"));
        Assert.InRange(Assert.Single(seen.Of("dispatcher.outbox.oldest.age")), 89, 900);
    }

    [Fact]
    public async Task Owner_without_dead_letters_is_reported_with_zero()
    {
        await using var server = await AServer.MigratedAsync();
        using var seen = new Measurements(server);
        await server.Get<StoreClock>().OnceAsync(Stop);
        await server.StoreAsync(Letter("platform"), Letter("platform"), Letter("billing"));
        var monitor = server.Get<StoreMonitor>();
        await monitor.OnceAsync(Stop);
        await using (var db = await server.DatabaseAsync())
        {
            await db.DeadLetters.Where(letter => letter.Owner == "platform").ExecuteDeleteAsync(Stop);
        }

        await monitor.OnceAsync(Stop);

        Assert.Equal([2, 0], seen.Of("dispatcher.dead_letters.open", "owner=platform"));
        Assert.Equal([1, 1], seen.Of("dispatcher.dead_letters.open", "owner=billing"));
    }

    /// <summary>No bundle is in force in a server that was not started.</summary>
    [Fact]
    public async Task Failing_checks_are_reported_also_while_the_store_is_away()
    {
        await using var server = await AServer.MigratedAsync();
        using var seen = new Measurements(server);
        File.Move(EmbeddedFiles.Database(server.Data), EmbeddedFiles.Database(server.Data) + ".away");

        await Assert.ThrowsAnyAsync<Exception>(() => server.Get<StoreMonitor>().OnceAsync(Stop));

        Assert.Equal([0], seen.Of("dispatcher.check", "check=bundle"));
        Assert.Equal([0], seen.Of("dispatcher.ready"));
    }

    private static OutboxMessage Message(DateTimeOffset made) =>
        new()
        {
            MessageId = Guid.CreateVersion7(made),
            Exchange = "dispatcher.events",
            RoutingKey = "any",
            Mandatory = false,
            Type = "event",
            Body = [],
            Headers = new Dictionary<string, string>(),
        };

    private static DeadLetter Letter(string owner) =>
        new()
        {
            DeadLetterId = Guid.CreateVersion7(),
            At = 1,
            FaultClass = "terminal",
            Owner = owner,
            Topic = "test.run",
            Principal = "billing",
        };
}
