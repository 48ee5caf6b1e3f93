namespace Dispatcher.JourneyTests.Staging;

/// <summary>A server as a process: <c>dispatcher serve</c>. For journeys that kill, freeze or measure it.</summary>
internal sealed class ServerProcess(Journey journey, string address) : DispatcherServer(address, journey.Tls)
{
    private readonly ChildProcess _process = ChildProcess.OfOutput(
        "dispatcher.dll",
        new Dictionary<string, string>((journey.Tls?.Server ?? new Dictionary<string, string>()).Concat(journey.Variables))
        {
            ["DISPATCHER_API_KEY"] = AdminKey,
            ["DISPATCHER_POSTGRES"] = journey.ServePostgres,
        },
        [
            .. journey.IsMigrated ? (string[])["serve"] : ["serve", "--migrate"],
            "--rabbitmq",
            journey.BrokerAs(Journey.ServerUser).AbsoluteUri,
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
