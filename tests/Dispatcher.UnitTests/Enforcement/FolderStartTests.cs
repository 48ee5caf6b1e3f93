using Dispatcher.Base;
using Dispatcher.Enforcement;
using Dispatcher.Storage;
using Dispatcher.UnitTests.Policies;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.UnitTests.Enforcement;

/// <summary>What the folder of a server that has just started may put in force, for everybody.</summary>
public sealed class FolderStartTests
{
    private const string First = "id: a, match: {topic: test.run}, decision: ALLOW";
    private const string Second = "id: a, match: {topic: test.run}, decision: DENY";
    private const string Third = "id: a, match: {topic: test.run}, decision: REQUIRE_APPROVAL";

    [Fact]
    public async Task Without_a_bundle_in_force_the_folder_is_in_force_at_once()
    {
        await using var folder = await APolicyFolder.EmptyAsync();
        var first = folder.Write(First);

        await folder.StartAsync();

        Assert.Equal(first, folder.InForce);
    }

    /// <summary>A folder that is just being copied may be valid for a moment and lack a rule.</summary>
    [Fact]
    public async Task With_a_bundle_in_force_a_start_needs_two_looks_like_any_change()
    {
        await using var folder = await APolicyFolder.EmptyAsync();
        var before = (await folder.ActivatedAsync(First))[0];
        var half = folder.Write(Third);
        await folder.StartAsync();
        Assert.Equal(before, folder.InForce);

        var whole = folder.Write(Second);
        await folder.LookAsync(times: 1);
        Assert.Equal(before, folder.InForce);
        await folder.LookAsync(times: 1);

        Assert.Equal(whole, folder.InForce);
        Assert.NotEqual(half, folder.InForce);
    }

    [Theory]
    [InlineData("there")]
    [InlineData("missing")]
    [InlineData("broken")]
    public async Task A_server_that_was_left_behind_does_not_roll_the_policy_back_whenever_its_folder_is_valid(string atStart)
    {
        await using var folder = await APolicyFolder.EmptyAsync();
        var hashes = await folder.ActivatedAsync(First, Second);
        folder.Write(First);
        if (atStart == "missing")
        {
            folder.Remove();
        }
        else if (atStart == "broken")
        {
            folder.Break();
        }

        await folder.StartAsync();
        await folder.LookAsync();
        folder.Write(First);
        await folder.LookAsync(times: 3);
        Assert.Equal(hashes[1], folder.InForce);
        Assert.Single(folder.Log.Lines, line => line.Id == EventIds.PolicyFolderOutdated);

        // A change while it runs is meant, also back.
        var third = folder.Write(Third);
        await folder.LookAsync();
        Assert.Equal(third, folder.InForce);
        folder.Write(First);
        await folder.LookAsync();
        Assert.Equal(hashes[0], folder.InForce);
    }

    /// <summary>The process starts before it knows that others have put bundles in force.</summary>
    [Fact]
    public async Task A_start_that_another_activation_overtook_is_still_a_start()
    {
        await using var folder = await APolicyFolder.EmptyAsync();
        folder.Write(First);
        foreach (var rule in new[] { First, Second })
        {
            var bundle = ABundle.WithRules(rule).Build();
            await folder
                .Server.Get<IStore>()
                .ActivateAsync(
                    _ => new Activation
                    {
                        Hash = bundle.Hash,
                        Archive = bundle.Archive,
                        Actor = "policy-folder",
                        Reason = "tried",
                    },
                    Stop
                );
        }

        await folder.New().StartAsync(Stop);
        await folder.Server.Get<CurrentBundle>().OnceAsync(Stop);
        await folder.LookAsync(times: 3);

        Assert.Equal(ABundle.WithRules(Second).Build().Hash, folder.InForce);
    }

    /// <summary>Whoever unpins decides by what the folder holds: under a pin no folder is behind.</summary>
    [Fact]
    public async Task Under_a_pin_an_earlier_folder_is_told_of_the_pin_and_not_of_being_behind()
    {
        await using var folder = await APolicyFolder.EmptyAsync();
        await folder.ActivatedAsync(First, Second);
        await folder.Server.Get<BundleActivation>().PinAsync(ABundle.WithRules(Third).Build(), "ada", Stop);
        folder.Write(First);

        await folder.StartAsync();
        await folder.LookAsync();

        Assert.Equal([EventIds.PolicyFolderPinned], folder.Log.Lines.Select(line => line.Id));
        Assert.Equal(ABundle.WithRules(Third).Build().Hash, folder.InForce);
    }

    /// <summary>Who ends the pin at this server means this server's folder.</summary>
    [Fact]
    public async Task After_an_unpin_with_a_broken_folder_an_earlier_bundle_in_it_is_taken()
    {
        await using var folder = await APolicyFolder.EmptyAsync();
        var hashes = await folder.ActivatedAsync(First, Second);
        await folder.Server.Get<BundleActivation>().PinAsync(ABundle.WithRules(Second).Build(), "ada", Stop);
        folder.Break();
        await folder.StartAsync();
        Assert.NotNull(await folder.UnpinAsync());

        folder.Write(First);
        await folder.LookAsync();

        Assert.Equal(hashes[0], folder.InForce);
    }

    [Fact]
    public async Task An_unpin_while_the_folder_is_being_copied_waits_for_the_whole()
    {
        await using var folder = await APolicyFolder.EmptyAsync();
        await folder.ActivatedAsync(First);
        await folder.Server.Get<BundleActivation>().PinAsync(ABundle.WithRules(First).Build(), "ada", Stop);
        folder.Write(Third);
        var unpinning = folder.UnpinAsync();
        var whole = folder.Write(Second);
        while (!unpinning.IsCompleted)
        {
            folder.Time.Release();
            await Task.Yield();
        }

        Assert.Equal(whole, (await unpinning)!.Hash);
        Assert.Equal(whole, folder.InForce);
    }

    [Fact]
    public async Task A_broken_folder_is_complained_of_and_counted_once_for_each_thing_that_is_wrong()
    {
        await using var folder = await APolicyFolder.EmptyAsync();
        using var refused = new Refusals(folder);
        folder.Write(First);
        await folder.StartAsync();

        folder.Break();
        await folder.LookAsync(times: 3);
        Assert.Equal((1, 1), (Complaints(folder), refused.Count));
        folder.Break("version: v1\nrulez: []");
        await folder.LookAsync(times: 3);
        Assert.Equal((2, 2), (Complaints(folder), refused.Count));
        folder.Write(First);
        await folder.LookAsync();
        folder.Break();
        await folder.LookAsync();

        Assert.Equal((3, 3), (Complaints(folder), refused.Count));
    }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private static int Complaints(APolicyFolder folder) => folder.Log.Lines.Count(line => line.Id == EventIds.PolicyFolderBroken);

    /// <summary>Counts the refused bundles of one server.</summary>
    private sealed class Refusals : IDisposable
    {
        private readonly System.Diagnostics.Metrics.MeterListener _listener = new();

        public Refusals(APolicyFolder folder)
        {
            var meters = folder.Server.Get<System.Diagnostics.Metrics.IMeterFactory>();
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == "dispatcher.policy.activations" && instrument.Meter.Scope == meters)
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            };
            _listener.SetMeasurementEventCallback<long>((_, count, tags, _) => Count += tags[0].Value is "refused" ? (int)count : 0);
            folder.Server.Get<Dispatcher.Base.DispatcherMetrics>();
            _listener.Start();
        }

        public int Count { get; private set; }

        public void Dispose() => _listener.Dispose();
    }
}
