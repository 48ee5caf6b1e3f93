using Dispatcher.Base;
using Dispatcher.Enforcement;
using Dispatcher.Storage;
using Dispatcher.UnitTests.Hosting;
using Dispatcher.UnitTests.Policies;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Dispatcher.UnitTests.Enforcement;

/// <summary>
/// The policy folder of a server in a group of servers; each start is a new process. The folder is read when the test asks for it.
/// </summary>
internal sealed class APolicyFolder : IAsyncDisposable
{
    private readonly AServer _server;
    private readonly List<PolicyFolder> _processes = [];

    private APolicyFolder(AServer server) => _server = server;

    public HeldTime Time { get; } = new();

    public ALog<PolicyFolder> Log { get; } = new();

    public AServer Server => _server;

    public string InForce => _server.Get<CurrentBundle>().InForce.Hash;

    private PolicyFolder Running => _processes[^1];

    public static async Task<APolicyFolder> EmptyAsync() => new(await AServer.MigratedAsync());

    /// <summary>Replaces the folder by a bundle of one rule; returns its hash.</summary>
    public string Write(string rule) => ABundle.WithRules(rule).WriteTo(_server.Policies).Build().Hash;

    public void Break(string text = "version: v1\nrules: [") =>
        File.WriteAllText(Path.Combine(_server.Policies, "rules", "test.yaml"), text);

    public void Remove() =>
        Array.ForEach(
            Directory.GetFileSystemEntries(_server.Policies),
            entry =>
            {
                if (Directory.Exists(entry))
                {
                    Directory.Delete(entry, recursive: true);
                }
                else
                {
                    File.Delete(entry);
                }
            }
        );

    /// <summary>A process that has not read the folder yet.</summary>
    public PolicyFolder New()
    {
        _processes.Add(
            new PolicyFolder(
                _server.Get<BundleActivation>(),
                _server.Get<IDbContextFactory<DispatcherDb>>(),
                _server.Get<ServerSettings>() with
                {
                    RabbitMq = "amqp://elsewhere",
                },
                _server.Get<CurrentBundle>(),
                _server.Get<DispatcherMetrics>(),
                _server.Get<IOptions<PolicyFolderOptions>>(),
                Time,
                Log
            )
        );
        return Running;
    }

    public async Task StartAsync()
    {
        await _server.Get<CurrentBundle>().OnceAsync(Stop);
        await New().StartAsync(Stop);
    }

    public async Task ReadAsync(int times = 2)
    {
        for (var i = 0; i < times; i++)
        {
            await Running.OnceAsync(Stop);
        }
    }

    public Task<Activation?> UnpinAsync() => Running.UnpinAsync("ada", Stop);

    /// <summary>Puts one bundle after the other in force, through the folder of a process that runs.</summary>
    public async Task<string[]> ActivatedAsync(params string[] rules)
    {
        New();
        var hashes = new List<string>();
        foreach (var rule in rules)
        {
            hashes.Add(Write(rule));
            await ReadAsync();
            Assert.Equal(hashes[^1], InForce);
        }

        return [.. hashes];
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes)
        {
            await process.StopAsync(Stop);
            process.Dispose();
        }

        await _server.DisposeAsync();
    }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;
}

/// <summary>A clock whose timers do not fire until they are released, so that loops do not run.</summary>
internal sealed class HeldTime : TimeProvider
{
    private readonly List<Action> _held = [];

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        // Timers longer than the folder's period are limits, which must not fire.
        lock (_held)
        {
            _held.AddRange(dueTime <= TimeSpan.FromSeconds(1) ? [() => callback(state)] : []);
        }

        return System.CreateTimer(callback, state, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Fires the timers that are waiting now.</summary>
    public void Release()
    {
        Action[] held;
        lock (_held)
        {
            held = [.. _held];
            _held.Clear();
        }

        Array.ForEach(held, go => go());
    }
}
