using Dispatcher.Audit.Sealing;
using Dispatcher.Broker;
using Dispatcher.Enforcement;
using Dispatcher.Storage;
using MassTransit;
using MassTransit.Transports;

namespace Dispatcher.Api;

/// <summary>Whether this process may decide and move jobs, and if not, why.</summary>
internal sealed class Readiness(
    StoreHealth store,
    StoreClock clock,
    CurrentBundle current,
    PolicyFolder folder,
    IEnumerable<IBusInstance> buses,
    Sealer sealer,
    RabbitTopology? topology = null
)
{
    /// <summary>Each check by name: <c>ok</c>, or what is wrong.</summary>
    public IReadOnlyDictionary<string, string> Checks =>
        new Dictionary<string, string>
        {
            ["store"] = Store,
            ["bundle"] = current.InForce.Bundle is not null
                ? Ok
                : $"no readable bundle is in force: every job is denied. {current.InForce.Trouble}".TrimEnd(),
            ["broker"] = Broker,
            ["topology"] = topology?.Trouble ?? Ok,
            ["policy_folder"] = Folder,
            ["sealing"] = sealer.Trouble ?? Ok,
        };

    /// <summary>The same for anybody: <c>ok</c> or <c>failing</c>. What is wrong names files, hosts and rules.</summary>
    public IReadOnlyDictionary<string, string> ShortChecks =>
        Checks.ToDictionary(check => check.Key, check => check.Value == Ok ? Ok : "failing");

    /// <summary>A broken policy folder is loud but stops nothing: the bundle in force stays. So is sealing that is stuck: what is written can be sealed later, and gates block meanwhile.</summary>
    public bool IsReady => Checks.All(check => check.Key is "policy_folder" or "sealing" || check.Value == Ok);

    private string Store => store.Trouble ?? clock.Trouble ?? Ok;

    /// <summary>While the store is away, the buses consume nothing on purpose: see StorePause. The topology is verified all the same.</summary>
    private string Broker =>
        Store != Ok
            ? Ok
            : buses
                .Where(bus => bus.InstanceType != typeof(ParkedBus))
                .Select(bus => bus.BusControl.CheckHealth())
                .FirstOrDefault(health => health.Status != BusHealthStatus.Healthy)
                ?.Description
                ?? Ok;

    private string Folder =>
        folder.ReadingAge is var age && age > LongestLook
            ? $"{folder.FullPath} was last read {age.TotalSeconds:F0} s ago, and changes are not seen: reading it does not end. Check its file system"
        : folder.LastReading.Errors.Count > 0
            ? string.Join("; ", folder.LastReading.Errors.Take(3).Select(error => $"{error.Where}: {error.Message}"))
        : Ok;

    /// <summary>The folder is read every second. Much less would accuse a busy machine.</summary>
    private static readonly TimeSpan LongestLook = TimeSpan.FromSeconds(10);

    private const string Ok = "ok";
}
