using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Microsoft.Extensions.Logging.Abstractions;

namespace Dispatcher.UnitTests.Outbox;

public sealed class RelayTests
{
    private static CancellationToken Now => TestContext.Current.CancellationToken;

    /// <summary>Replies have results. The maximum number of the largest replies would take a gigabyte.</summary>
    [Fact]
    public async Task Waiting_replies_are_limited_by_bytes_and_sent_ones_free_capacity()
    {
        using var broker = new CountedReplies();
        using var relay = new Relay(broker, null!, NullLogger<Relay>.Instance);
        for (var i = 0; i < 1_000; i++)
        {
            relay.Answer(new Reply($"reply.billing.{i}", null, "event", new byte[64 * 1024]));
        }

        await relay.StartAsync(Now);
        await broker.SentAsync(512);
        relay.Answer(new Reply("reply.billing.last", null, "event", new byte[64 * 1024]));
        await broker.SentAsync(1);
        await relay.StopAsync(Now);

        Assert.Equal(("reply.billing.511", "reply.billing.last", 513), (broker.Sent[511], broker.Sent[512], broker.Sent.Count));
    }

    private sealed class CountedReplies : IOutboxTransport, IDisposable
    {
        private readonly SemaphoreSlim _sent = new(0);

        public List<string> Sent { get; } = [];

        public async Task SentAsync(int count)
        {
            for (var i = 0; i < count; i++)
            {
                Assert.True(await _sent.WaitAsync(TimeSpan.FromSeconds(30), Now));
            }
        }

        public Task SendAsync(OutboxMessage message, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task ReplyAsync(Reply reply, CancellationToken cancellationToken)
        {
            Sent.Add(reply.Queue);
            _sent.Release();
            return Task.CompletedTask;
        }

        public void Dispose() => _sent.Dispose();
    }
}
