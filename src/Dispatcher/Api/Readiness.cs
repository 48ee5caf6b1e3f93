using Dispatcher.Audit.Sealing;
using Dispatcher.Broker;
using Dispatcher.Enforcement;
using Dispatcher.Storage;
using MassTransit;
using MassTransit.Transports;

namespace Dispatcher.Api;

/// <summary>Whether this process can evaluate and dispatch jobs, with the reason when it cannot.</summary>
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
    /// <summary>Each check by name: <c>ok</c>, or the fault in words.</summary>
    public IReadOnlyDictionary<string, string> Checks =>
        new Dictionary<string, string>
        {
            ["store"] = Store,
            ["bundle"] = current.InForce.Bundle is not null
                ? Ok
                : $"no readable bundle is in force, so every job is denied. {current.InForce.Trouble}".TrimEnd(),
            ["broker"] = Broker,
            ["topology"] = topology?.Trouble ?? Ok,
            ["policy_folder"] = Folder,
            ["sealing"] = sealer.Trouble ?? Ok,
        };

    /// <summary>The checks for callers without a key: <c>ok</c> or <c>failing</c>. The full texts name files, hosts and rules.</summary>
    public IReadOnlyDictionary<string, string> ShortChecks =>
        Checks.ToDictionary(check => check.Key, check => check.Value == Ok ? Ok : "failing");

    /// <summary>
    /// A broken policy folder does not make the server unready, because the bundle in force stays. Neither does stuck sealing: entries can
    /// be sealed later, and gates block meanwhile.
    /// </summary>
    public bool IsReady => Checks.All(check => check.Key is "policy_folder" or "sealing" || check.Value == Ok);

    private string Store => store.Trouble ?? clock.Trouble ?? Ok;

    /// <summary>
    /// While the store is unavailable, StorePause stops the buses on purpose, so this check reports no fault. The topology is still
    /// verified.
    /// </summary>
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
        folder.ReadingAge is var age && age > MaxAge
            ? $"{folder.FullPath} was last read {age.TotalSeconds:F0} s ago: reading it hangs, and changes are not "
                + "applied. Check its file system"
        : folder.LastReading.Errors.Count > 0
            ? string.Join("; ", folder.LastReading.Errors.Take(3).Select(error => $"{error.Where}: {error.Message}"))
        : Ok;

    /// <summary>The folder is read every second. A much lower limit would report a busy machine.</summary>
    private static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(10);

    private const string Ok = "ok";
}
