using Dispatcher.Base;
using Dispatcher.Enforcement;
using Dispatcher.Storage;
using Dispatcher.UnitTests.Policies;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.UnitTests.Enforcement;

/// <summary>The bundles that the folder of a starting server may put in force for all servers.</summary>
public sealed class FolderStartTests
{
    private const string First = "id: a, match: {topic: test.run}, decision: ALLOW";
    private const string Second = "id: a, match: {topic: test.run}, decision: DENY";
    private const string Third = "id: a, match: {topic: test.run}, decision: REQUIRE_APPROVAL";

    [Fact]
    public async Task Start_puts_the_folder_in_force_at_once_if_no_bundle_is_in_force()
    {
        await using var folder = await APolicyFolder.EmptyAsync();
        var first = folder.Write(First);

        await folder.StartAsync();

        Assert.Equal(first, folder.InForce);
    }

    /// <summary>A folder that is being copied may be valid for a moment and lack a rule.</summary>
    [Fact]
    public async Task Start_needs_two_equal_readings_if_a_bundle_is_in_force()
    {
        await using var folder = await APolicyFolder.EmptyAsync();
        var before = (await folder.ActivatedAsync(First))[0];
        var half = folder.Write(Third);
        await folder.StartAsync();
        Assert.Equal(before, folder.InForce);

        var whole = folder.Write(Second);
        await folder.ReadAsync(times: 1);
        Assert.Equal(before, folder.InForce);
        await folder.ReadAsync(times: 1);

        Assert.Equal(whole, folder.InForce);
        Assert.NotEqual(half, folder.InForce);
    }

    [Theory]
    [InlineData("there")]
    [InlineData("missing")]
    [InlineData("broken")]
    public async Task Start_with_an_outdated_folder_does_not_roll_the_policy_back(string atStart)
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
        await folder.ReadAsync();
        folder.Write(First);
        await folder.ReadAsync(times: 3);
        Assert.Equal(hashes[1], folder.InForce);
        Assert.Single(folder.Log.Lines, line => line.Id == EventIds.PolicyFolderOutdated);

        // A change while the server runs is intended, even back to an earlier bundle.
        var third = folder.Write(Third);
        await folder.ReadAsync();
        Assert.Equal(third, folder.InForce);
        folder.Write(First);
        await folder.ReadAsync();
        Assert.Equal(hashes[0], folder.InForce);
    }

    /// <summary>The process starts before it has read that other servers put bundles in force.</summary>
    [Fact]
    public async Task Start_that_loses_to_another_activation_does_not_roll_the_policy_back()
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
        await folder.ReadAsync(times: 3);

        Assert.Equal(ABundle.WithRules(Second).Build().Hash, folder.InForce);
    }

    /// <summary>Under a pin no folder is reported as outdated, because the person who ends the pin chooses the folder.</summary>
    [Fact]
    public async Task Outdated_folder_is_reported_as_pinned_while_a_pin_is_set()
    {
        await using var folder = await APolicyFolder.EmptyAsync();
        await folder.ActivatedAsync(First, Second);
        await folder.Server.Get<BundleActivation>().PinAsync(ABundle.WithRules(Third).Build(), "ada", Stop);
        folder.Write(First);

        await folder.StartAsync();
        await folder.ReadAsync();

        Assert.Equal([EventIds.PolicyFolderPinned], folder.Log.Lines.Select(line => line.Id));
        Assert.Equal(ABundle.WithRules(Third).Build().Hash, folder.InForce);
    }

    /// <summary>A person who ends the pin at this server chooses its folder.</summary>
    [Fact]
    public async Task Unpin_with_a_broken_folder_later_accepts_an_earlier_bundle()
    {
        await using var folder = await APolicyFolder.EmptyAsync();
        var hashes = await folder.ActivatedAsync(First, Second);
        await folder.Server.Get<BundleActivation>().PinAsync(ABundle.WithRules(Second).Build(), "ada", Stop);
        folder.Break();
        await folder.StartAsync();
        Assert.NotNull(await folder.UnpinAsync());

        folder.Write(First);
        await folder.ReadAsync();

        Assert.Equal(hashes[0], folder.InForce);
    }

    [Fact]
    public async Task Unpin_waits_until_a_copied_folder_is_complete()
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
    public async Task Broken_folder_is_logged_and_counted_once_for_each_error()
    {
        await using var folder = await APolicyFolder.EmptyAsync();
        using var refused = new Refusals(folder);
        folder.Write(First);
        await folder.StartAsync();

        folder.Break();
        await folder.ReadAsync(times: 3);
        Assert.Equal((1, 1), (TimesLogged(folder), refused.Count));
        folder.Break("version: v1\nrulez: []");
        await folder.ReadAsync(times: 3);
        Assert.Equal((2, 2), (TimesLogged(folder), refused.Count));
        folder.Write(First);
        await folder.ReadAsync();
        folder.Break();
        await folder.ReadAsync();

        Assert.Equal((3, 3), (TimesLogged(folder), refused.Count));
    }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private static int TimesLogged(APolicyFolder folder) => folder.Log.Lines.Count(line => line.Id == EventIds.PolicyFolderBroken);

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
