using System.Net;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>Events over HTTP, of all servers, for as long as the key is good and the server runs.</summary>
public sealed class EventJourneys
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Stream_shows_events_of_every_server_and_a_producer_sees_only_its_own()
    {
        await using var journey = await Journey.BeginAsync();
        var (first, second) = await journey.TwoDispatchersAsync();
        await journey.CountingWorkerAsync(first);
        var billing = await second.MakeKeyAsync("billing", "producer");
        var shipping = await first.MakeKeyAsync("shipping", "producer");
        await using var all = await Listener.AtAsync(second, DispatcherServer.AdminKey);
        await using var own = await Listener.AtAsync(second, billing);

        var others = AJob.On("job.test.denied");
        var mine = AJob.On("job.test.denied");
        Assert.Equal(HttpStatusCode.Forbidden, (await first.SubmitAsync(others.Body(), shipping)).Status);
        await all.SeesAsync(others.JobId, Soon);
        Assert.Equal(HttpStatusCode.Forbidden, (await first.SubmitAsync(mine.Body(), billing)).Status);

        await all.SeesAsync(mine.JobId, Soon);
        await own.SeesAsync(mine.JobId, Soon);
        Assert.DoesNotContain(others.JobId.ToString(), own.Text, StringComparison.Ordinal);
        await all.DisposeAsync();
        await own.DisposeAsync();
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task Stream_ends_when_its_key_is_revoked_or_its_server_stops()
    {
        await using var journey = await Journey.BeginAsync();
        var (first, second) = await journey.TwoDispatchersAsync();
        await using var revoked = await Listener.AtAsync(second, await first.MakeKeyAsync("billing", "producer"));
        await using var stays = await Listener.AtAsync(second, DispatcherServer.AdminKey);

        // By another server than the one that streams.
        await first.RevokeAsync("billing");
        await revoked.EndsAsync(Soon);
        Assert.False(stays.HasEnded);

        Assert.Equal(0, await second.StopAsync());
        await stays.EndsAsync(Soon);
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task Key_has_at_most_four_streams()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        var billing = await dispatcher.MakeKeyAsync("billing", "producer");
        var open = new List<Listener>();
        for (var i = 0; i < 4; i++)
        {
            open.Add(await Listener.AtAsync(dispatcher, billing));
        }

        Assert.Equal(HttpStatusCode.TooManyRequests, await Listener.StatusAsync(dispatcher, billing));
        await open[0].DisposeAsync();
        await Eventually.IsAsync(
            async () => await Listener.StatusAsync(dispatcher, billing) == HttpStatusCode.OK,
            () => "a stream that was closed frees its slot",
            Soon
        );
        foreach (var listener in open)
        {
            await listener.DisposeAsync();
        }

        await journey.EndsWellAsync();
    }
}
