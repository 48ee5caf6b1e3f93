namespace Dispatcher.JourneyTests.Staging;

/// <summary>A server as a process: <c>dispatcher serve</c>. For journeys that kill, freeze or measure it.</summary>
/// <param name="journey">Its settings.</param>
/// <param name="address">Where it listens.</param>
/// <param name="broker">Another address of the broker. Null: that of the journey.</param>
/// <param name="postgres">Another connection to the database. Null: that of the journey.</param>
internal sealed class ServerProcess(Journey journey, string address, Uri? broker = null, string? postgres = null)
    : DispatcherServer(address, journey.Tls)
{
    private readonly ChildProcess _process = ChildProcess.OfOutput(
        "dispatcher.dll",
        new Dictionary<string, string>((journey.Tls?.Server ?? new Dictionary<string, string>()).Concat(journey.Variables))
        {
            ["DISPATCHER_API_KEY"] = AdminKey,
            ["DISPATCHER_POSTGRES"] = postgres ?? journey.ServePostgres,
        },
        [
            .. journey.IsMigrated ? (string[])["serve"] : ["serve", "--migrate"],
            "--rabbitmq",
            (broker ?? journey.BrokerAs(Journey.ServerUser)).AbsoluteUri,
            "--policies",
            journey.Policies.Folder,
            "--audit",
            journey.Audit,
            "--urls",
            address,
        ]
    );

    public override string Name => $"server, {_process.Name}";

    public override string Log => _process.Log;

    public override bool HasEnded => _process.HasEnded;

    public int ProcessId => _process.ProcessId;

    public int PeakMemoryMiB => _process.PeakMemoryMiB;

    public Task KillAsync() => _process.KillAsync();

    public void Freeze() => _process.Freeze();

    public void Unfreeze() => _process.Unfreeze();

    public override ValueTask DisposeAsync() => _process.DisposeAsync();

    public override void RequestStop() => _process.RequestStop();

    public override Task<int> ExitAsync() => _process.ExitAsync();
}
