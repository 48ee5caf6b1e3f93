using System.Text;
using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Outbox;

namespace Dispatcher.UnitTests.Outbox;

public sealed class EventStreamTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public void Listener_gets_the_events_it_may_read_in_order_and_on_one_line()
    {
        var stream = new EventStream(isConnected: true);
        using var listener = Listen(stream, happened => happened.Principal == "billing");

        stream.Publish(Event("billing", "held"));
        stream.Publish(Event("shipping", "held"));
        stream.Publish(Event("billing", "succeeded"));

        var heard = Heard(listener);
        Assert.Equal(["held", "succeeded"], heard.Select(happened => happened.Name));
        Assert.All(heard, happened => Assert.DoesNotContain('\n', happened.Data));
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("null")]
    [InlineData("{}")]
    public void Body_that_is_not_an_event_is_dropped(string body)
    {
        var stream = new EventStream(isConnected: true);
        using var listener = Listen(stream);

        stream.Publish(Encoding.UTF8.GetBytes(body));
        stream.Publish(Event("billing", "held\nevent: succeeded"));
        stream.Publish(Event("billing", "held", new string('x', 70_000)));
        stream.Publish(Event("billing", "held"));

        Assert.Single(Heard(listener));
    }

    [Fact]
    public async Task Stream_of_a_slow_listener_ends_and_others_continue()
    {
        var stream = new EventStream(isConnected: true);
        using var slow = Listen(stream);
        using var other = Listen(stream, happened => happened.Event == "succeeded");

        for (var i = 0; i < 1_001; i++)
        {
            stream.Publish(Event("billing", "held"));
        }

        stream.Publish(Event("billing", "succeeded"));

        Assert.Equal(1_000, Heard(slow).Count);
        Assert.False(await slow.Events.WaitToReadAsync(Stop));
        Assert.Single(Heard(other));
        Assert.False(other.Events.Completion.IsCompleted);
    }

    [Fact]
    public void Streams_of_one_key_are_limited_and_an_ended_one_frees_its_slot()
    {
        var stream = new EventStream(isConnected: true);
        var open = Enumerable.Range(0, EventStream.MaxOfKey).Select(_ => Listen(stream)).ToList();
        Assert.Null(stream.Listen("key", _ => true));
        Assert.NotNull(stream.Listen("another", _ => true));

        open[0].Dispose();

        Assert.NotNull(stream.Listen("key", _ => true));
    }

    [Fact]
    public void All_keys_together_have_a_limit()
    {
        var stream = new EventStream(isConnected: true);

        var open = Enumerable.Range(0, 300).Count(i => stream.Listen($"key-{i}", _ => true) is not null);

        Assert.Equal(200, open);
    }

    [Fact]
    public async Task Lost_source_ends_all_streams_and_the_next_listener_requests_it_again()
    {
        var stream = new EventStream(isConnected: false);
        var wanted = stream.WantedAsync(Stop);
        Assert.False(wanted.IsCompleted);
        using var listener = Listen(stream);
        await wanted;
        var connected = stream.ConnectedAsync(Stop);
        Assert.False(connected.IsCompleted);
        stream.Connected();
        await connected;
        Assert.False(stream.Disconnect(ifUnused: true));

        Assert.True(stream.Disconnect());

        Assert.False(await listener.Events.WaitToReadAsync(Stop));
        Assert.False(stream.ConnectedAsync(Stop).IsCompleted);
        Assert.False(stream.WantedAsync(Stop).IsCompleted);
        listener.Dispose();
        Assert.True(stream.Disconnect(ifUnused: true));
    }

    private static EventListener Listen(EventStream stream, Func<JobEvent, bool>? mayHear = null) =>
        stream.Listen("key", mayHear ?? (_ => true))!;

    private static List<StreamedEvent> Heard(EventListener listener)
    {
        var heard = new List<StreamedEvent>();
        while (listener.Events.TryRead(out var happened))
        {
            heard.Add(happened);
        }

        return heard;
    }

    private static byte[] Event(string principal, string name, string reason = "r") =>
        JsonSerializer.SerializeToUtf8Bytes(
            new JobEvent
            {
                EventId = Guid.CreateVersion7(),
                Event = name,
                JobId = Guid.CreateVersion7(),
                Topic = "a.b",
                Principal = principal,
                At = DateTimeOffset.UnixEpoch,
                PolicyHash = "p",
                Reason = reason,
            },
            WireJson.Default.JobEvent
        );
}
