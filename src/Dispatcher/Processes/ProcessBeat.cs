using Dispatcher.Health;
using Dispatcher.Hosting;
using Dispatcher.Judging;

namespace Dispatcher.Processes;

/// <summary>Says every few seconds that this process is there and which bundle it runs.</summary>
internal sealed partial class ProcessBeat(ProcessRegister register, CurrentBundle current, PolicyFolder folder, TimeProvider time, ILogger<ProcessBeat> logger)
    : Loop(TimeSpan.FromSeconds(5), time, logger)
{
    private readonly Guid _instance = Guid.CreateVersion7(time.GetUtcNow());

    public override Task OnceAsync(CancellationToken cancellationToken)
    {
        var looked = folder.LastLook;
        return register.NoteAsync(
            new RunningProcess
            {
                InstanceId = _instance,
                Host = Environment.MachineName,
                Pid = Environment.ProcessId,
                Version = StatusEndpoints.Version,
                PolicyHash = current.InForce.Hash,
                FolderHash = looked.Hash,
                FolderErrors = looked.Errors.Count,
            },
            cancellationToken);
    }

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await OnceAsync(cancellationToken);
        await base.StartAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        try
        {
            await register.RemoveAsync(_instance, cancellationToken);
        }
#pragma warning disable CA1031 // Whatever it is, the row grows old by itself, and the stop must go on.
        catch (Exception reason)
#pragma warning restore CA1031
        {
            Log.Left(logger, reason);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventIds.ProcessRowLeft, LogLevel.Information, "This process could not be taken off the list of processes; it is shown there as stale for a day")]
        public static partial void Left(ILogger logger, Exception reason);
    }
}
