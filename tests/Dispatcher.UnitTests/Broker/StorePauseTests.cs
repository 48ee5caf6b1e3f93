using System.Reflection;
using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.Storage;
using Dispatcher.UnitTests.Hosting;
using MassTransit;
using MassTransit.RabbitMqTransport;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using RabbitMQ.Client;

namespace Dispatcher.UnitTests.Broker;

public sealed class StorePauseTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>The client never answers for a channel that was lost while it was closed.</summary>
    [Fact(Timeout = 60_000)]
    public async Task Channel_that_does_not_close_ends_neither_this_pause_nor_the_next_one()
    {
        await using var server = await AServer.MigratedAsync();
        await server.Get<StoreClock>().OnceAsync(Stop);
        var (time, log) = (new FakeTimeProvider(), new ALog<StorePause>());
        var health = new StoreHealth(null, TimeProvider.System, NullLogger<StoreHealth>.Instance);
        health.Proved(this);
        using var pause = new StorePause(server.Get<StoreClock>(), health, time, log);
        var endpoint = new TaskCompletionSource();
        var consuming = pause.Send(Channel(), Pipe.ExecuteAsync<ChannelContext>(_ => endpoint.Task));

        await PausedAndResumedAsync();
        await PausedAndResumedAsync();

        Assert.Equal(
            [EventIds.ConsumingPaused, EventIds.ConsumingResumed, EventIds.ConsumingPaused, EventIds.ConsumingResumed],
            log.Lines.Select(line => line.Id)
        );
        endpoint.SetResult();
        await consuming;

        async Task PausedAndResumedAsync()
        {
            health.Fails(this, new SqliteException("disk full", 13));
            var round = pause.OnceAsync(Stop);
            Assert.False(round.IsCompleted);
            time.Advance(TimeSpan.FromSeconds(6));
            await round;
            health.Works(this);
            await pause.OnceAsync(Stop);
        }
    }

    private static ChannelContext Channel() =>
        Properties.Of<ChannelContext>(
            (nameof(ChannelContext.Channel), DispatchProxy.Create<IChannel, Hanging>()),
            (nameof(PipeContext.CancellationToken), CancellationToken.None)
        );

    /// <summary>A channel whose calls never end.</summary>
    public class Hanging : DispatchProxy
    {
        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => new TaskCompletionSource().Task;
    }
}
